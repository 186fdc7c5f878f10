/**
 * What a parse thread answers. Objects that cross threads are rebuilt in one go, which would stop a
 * running worker; texts are copied, and the receiver reads them piece by piece.
 */

import type { CheckDefinition, CheckSpec, SelfDefinition } from '../domain/check.ts';
import type { Diagnostic } from '../domain/diagnostic.ts';
import type { TimeSlice } from '../runtime/time-slice.ts';
import type { CheckFile, FileBytes, PlacedCheck } from './check-file.ts';
import type { CheckInput } from './check-schema.ts';

export interface ParseRequest extends FileBytes {
  readonly defaults: CheckInput;
}

export interface ParseAnswer {
  readonly head: string;
  readonly pieces: readonly string[];
}

interface Head {
  readonly selves: readonly SelfDefinition[];
  readonly defaults: CheckInput | null;
  readonly diagnostics: readonly Diagnostic[];
  readonly digest: string;
}

/** Checks that differ only in their key share a spec, so it is written once a piece. */
interface Piece {
  readonly specs: readonly CheckSpec[];
  readonly checks: readonly (readonly [
    id: CheckDefinition['id'],
    key: string,
    spec: number,
    line: number,
    column: number,
  ])[];
}

const CHECKS_A_PIECE = 100;

export const encode = ({ checks, digest, ...rest }: CheckFile): ParseAnswer => {
  const head = JSON.stringify({ ...rest, digest: digest.toString() } satisfies Head);
  const pieces: string[] = [];
  for (let start = 0; start < checks.length; start += CHECKS_A_PIECE) {
    pieces.push(pieceOf(checks.slice(start, start + CHECKS_A_PIECE)));
  }
  return { head, pieces };
};

const pieceOf = (checks: readonly PlacedCheck[]): string => {
  const specs = new Map<string, number>();
  const rows = checks.map(({ definition: { id, key, spec }, place }) => {
    const text = JSON.stringify(spec);
    const index = specs.get(text) ?? specs.size;
    specs.set(text, index);
    return JSON.stringify([id, key, index, place.line, place.column]);
  });
  return `{"specs":[${[...specs.keys()].join()}],"checks":[${rows.join()}]}`;
};

export const decode = async (
  { head, pieces }: ParseAnswer,
  slice: TimeSlice,
): Promise<CheckFile> => {
  const { digest, ...rest } = JSON.parse(head) as Head;
  const checks: PlacedCheck[] = [];
  for (const piece of pieces) {
    if (slice.isSpent) await slice.rest();
    const { specs, checks: rows } = JSON.parse(piece) as Piece;
    for (const [id, key, index, line, column] of rows) {
      const spec = specs[index] as CheckSpec;
      checks.push({ definition: { id, key, spec }, place: { line, column } });
    }
  }
  return { ...rest, checks, digest: BigInt(digest) };
};
