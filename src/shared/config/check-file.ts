/**
 * Bytes of one file → **what it says**: text → canonical tree → schema → definitions. Pure, and the
 * only way in: it runs in the main thread and in those of parse-pool.ts alike.
 */

import type { z } from 'zod';
import type { CheckDefinition, JsonValue, SelfDefinition } from '../domain/check.ts';
import type { Diagnostic } from '../domain/diagnostic.ts';
import { hasSealed, REFERENCE_FORMS } from '../secrets/reference.ts';
import type { Tell } from './assertion-list.ts';
import { type CheckInput, checkSchema, selfSchema } from './check-schema.ts';
import { definitionOf, selfOf } from './definition.ts';
import { byPlace, diagnosticOf, hasErrors, type Place, type Problem } from './diagnostics.ts';
import { digestOf, sum } from './digest.ts';
import { type Fault, faultsOf } from './issues.ts';
import { decodeText } from './source.ts';
import type { Path } from './values.ts';
import { readTree, type YamlTree } from './yaml-tree.ts';

export const DEFAULTS_FILE = 'defaults.yml';
const MAX_KEY = 1024;
/** Without one of these, other keys would look wrong that are not. */
const LEANED_ON: ReadonlySet<string> = new Set(['url', 'response_json_values']);

/** One check and where it stands. */
export interface PlacedCheck {
  readonly definition: CheckDefinition;
  readonly place: Place;
}

/** Without errors, or with nothing but diagnostics: a file counts as a whole or not at all. */
export interface CheckFile {
  readonly checks: readonly PlacedCheck[];
  readonly selves: readonly SelfDefinition[];
  /** What defaults.yml gives to the checks of its folder. */
  readonly defaults: CheckInput | null;
  readonly diagnostics: readonly Diagnostic[];
  /** Of its definitions and selves. */
  readonly digest: bigint;
}

export interface FileBytes {
  /** As problems name it. */
  readonly file: string;
  /** The last part of its path. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** What becomes of a file with a secret in it; `allow` gives advice. */
  readonly inlineSecrets?: InlineSecrets;
}

/** `refuse`: for a ledger that others read, without a key to seal secrets with. */
export type InlineSecrets = 'allow' | 'refuse';

export const readCheckFile = (
  { file, name, bytes, inlineSecrets = 'allow' }: FileBytes,
  defaults: CheckInput,
): CheckFile => {
  const text = decodeText(bytes);
  if (typeof text !== 'string') return unreadable(file, [text]);
  const reader = new TreeReader(readTree(text), { defaults, inlineSecrets });
  reader.read(name === DEFAULTS_FILE);
  if (/[^\n]$/.test(text)) reader.adviseEnd(text);
  return reader.file(file);
};

export const unreadable = (file: string, problems: readonly Problem[]): CheckFile => ({
  checks: [],
  selves: [],
  defaults: null,
  diagnostics: problems.map((problem) => diagnosticOf(file, problem)).sort(byPlace),
  digest: 0n,
});

const refusalOf = ({ message, hint }: Fault): Pick<Fault, 'code' | 'message' | 'hint'> => ({
  code: 'E514',
  message: `${message}, and the pool has no key to seal it`,
  hint: `${hint}; or set pool_key`,
});

class TreeReader {
  readonly #tree: YamlTree;
  readonly #defaults: CheckInput;
  readonly #inlineSecrets: InlineSecrets;
  readonly #problems: Problem[];
  readonly #checks: PlacedCheck[] = [];
  readonly #selves: SelfDefinition[] = [];
  #ownDefaults: CheckInput | null = null;

  constructor(
    tree: YamlTree,
    {
      defaults,
      inlineSecrets,
    }: { readonly defaults: CheckInput; readonly inlineSecrets: InlineSecrets },
  ) {
    this.#tree = tree;
    this.#defaults = defaults;
    this.#inlineSecrets = inlineSecrets;
    this.#problems = [...tree.problems];
  }

  read(isDefaultsFile: boolean): void {
    if (this.#isTorn()) return;
    this.#refuseSealed(this.#tree.value, []);
    for (const [key, value] of Object.entries(this.#tree.value ?? {})) {
      if ((key === 'defaults') !== isDefaultsFile) this.#misplaced(key);
      else if (isDefaultsFile) this.#ownDefaults = this.#parse(checkSchema, value, [key]);
      else if (key === 'self') this.#readSelves(value);
      else this.#readCheck(key, value);
    }
  }

  /** Where values could not be taken over, the schema would only complain of their absence. */
  #isTorn(): boolean {
    return this.#problems.some(({ code }) => code.startsWith('E4') && code !== 'E403');
  }

  /** Copied from the ledger it would be opened for whoever wrote this file, who need not have the key. */
  #refuseSealed(value: JsonValue, path: Path): void {
    if (typeof value === 'string' && hasSealed(value)) {
      const message = `a sealed secret is of the ledger only: write ${REFERENCE_FORMS}`;
      this.#tell([])({ code: 'E511', path, message });
    }
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value))
      this.#refuseSealed(inner, [...path, Array.isArray(value) ? Number(key) : key]);
  }

  adviseEnd(text: string): void {
    const lines = text.split('\n');
    const place = { line: lines.length, column: (lines.at(-1) as string).length + 1 };
    const message = 'the file does not end with a line break: it may be half written';
    this.#problems.push({ code: 'I207', place, message });
  }

  file(file: string): CheckFile {
    const diagnosed = unreadable(file, this.#problems);
    if (hasErrors(diagnosed.diagnostics)) return diagnosed;
    const [checks, selves] = [this.#checks, this.#selves];
    const members = [...checks.map(({ definition }) => definition), ...selves];
    const digest = sum(members.map(digestOf));
    return { ...diagnosed, checks, selves, defaults: this.#ownDefaults, digest };
  }

  #misplaced(key: string): void {
    const message =
      key === 'defaults'
        ? `defaults are read from ${DEFAULTS_FILE} only`
        : `${DEFAULTS_FILE} has nothing but defaults: move "${key}" to another file`;
    this.#tell([])({ code: 'E513', path: [key], atKey: true, message });
  }

  #readCheck(key: string, value: JsonValue): void {
    const tell = this.#tell([key]);
    if (key.length > MAX_KEY)
      tell({
        code: 'E407',
        path: [],
        atKey: true,
        message: `a key has at most ${MAX_KEY} characters`,
      });
    const given = this.#parse(checkSchema, value, [key]) ?? this.#remains(value);
    if (!given) return;
    this.#checks.push({
      definition: definitionOf(key, { ...this.#defaults, ...given }, tell),
      place: this.#tree.placeOf([key], true),
    });
  }

  /** What is right of a check that the schema refuses: it may have problems of other kinds. */
  #remains(value: JsonValue): CheckInput | null {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
    const right = Object.entries(value).filter(
      ([key, inner]) => checkSchema.safeParse({ [key]: inner }).success,
    );
    const wrong = Object.keys(value).filter((key) => !right.some(([name]) => name === key));
    if (wrong.some((key) => LEANED_ON.has(key))) return null;
    return checkSchema.parse({ cron_schedule: '* * * * *', ...Object.fromEntries(right) });
  }

  #readSelves(value: JsonValue): void {
    const isList = Array.isArray(value);
    for (const [index, item] of (isList ? value : [value]).entries()) {
      const path = isList ? ['self', index] : ['self'];
      const given = this.#parse(selfSchema, item, path);
      if (given) this.#selves.push(selfOf(given, this.#tell(path)));
    }
  }

  #parse<T extends z.ZodType>(schema: T, value: JsonValue, path: Path): z.output<T> | null {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const tell = this.#tell([]);
    for (const fault of faultsOf(parsed.error.issues, { value, schema, path })) tell(fault);
    return null;
  }

  /** Faults' paths start where `base` ends. */
  #tell(base: Path): Tell {
    return (fault: Fault) => {
      const { path, atKey = path.length === 0 } = fault;
      const place = this.#tree.placeOf([...base, ...path], atKey);
      const isRefused = fault.code === 'I201' && this.#inlineSecrets === 'refuse';
      const { code, message, hint } = isRefused ? refusalOf(fault) : fault;
      this.#problems.push({ code, place, message, hint });
    };
  }
}
