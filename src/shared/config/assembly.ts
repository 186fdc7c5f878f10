/** Files → **one catalogue**: each key once, in the order of file names and of lines. */

import type { Catalogue } from '../domain/catalogue.ts';
import type { CheckDefinition, SelfDefinition } from '../domain/check.ts';
import type { Diagnostic } from '../domain/diagnostic.ts';
import type { Clock } from '../runtime/clock.ts';
import { TimeSlice } from '../runtime/time-slice.ts';
import type { CheckFile, PlacedCheck } from './check-file.ts';
import { byPlace, diagnosticOf, type Problem } from './diagnostics.ts';
import { digestOf, digestText, sum } from './digest.ts';

export interface Parts {
  readonly dir: string;
  readonly files: readonly {
    /** Its path. */
    readonly file: string;
    /** What counts: the latest version, or the last good one. */
    readonly counts: CheckFile;
    readonly diagnostics: readonly Diagnostic[];
  }[];
  readonly problems: readonly Problem[];
}

export const assemble = async (
  { dir, files, problems }: Parts,
  clock: Clock,
): Promise<Catalogue> => {
  const slice = new TimeSlice(clock);
  const checks = new FirstOfEachKey();
  const selves: SelfDefinition[] = [];
  for (const { file, counts } of files) {
    if (slice.isSpent) await slice.rest();
    checks.add(file, counts.checks);
    selves.push(...counts.selves);
  }
  const digests = files.map(({ counts }) => counts.digest);
  return {
    definitions: checks.definitions,
    selves,
    files: files.length,
    diagnostics: [
      ...problems.map((problem) => diagnosticOf(dir, problem)),
      ...files.flatMap(({ diagnostics }) => diagnostics),
      ...checks.diagnostics,
    ].sort(byPlace),
    digest: digestText(sum([...digests, ...checks.dropped.map((check) => -digestOf(check))])),
  };
};

class FirstOfEachKey {
  readonly definitions: CheckDefinition[] = [];
  readonly dropped: CheckDefinition[] = [];
  readonly diagnostics: Diagnostic[] = [];
  readonly #places = new Map<string, { readonly file: string; readonly check: PlacedCheck }>();

  add(file: string, checks: readonly PlacedCheck[]): void {
    for (const check of checks) {
      const { definition, place } = check;
      const first = this.#places.get(definition.key);
      if (!first) {
        this.#places.set(definition.key, { file, check });
        this.definitions.push(definition);
        continue;
      }
      this.dropped.push(definition);
      const { line, column } = first.check.place;
      const message = `"${definition.key}" is also in ${first.file}:${line}:${column}, which runs`;
      this.diagnostics.push(diagnosticOf(file, { code: 'E512', place, message }));
    }
  }
}
