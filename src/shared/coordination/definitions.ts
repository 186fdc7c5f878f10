/**
 * Definitions of one jobset ⇄ the chunks they are stored in: deflated JSON in which equal specs stand
 * once, since a hundred checks of one file differ in their key alone. Decoding gives those hundred one
 * frozen spec object, so that the worker compiles it once.
 */

import { createHash } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { CheckDefinition, CheckId, CheckSpec } from '../domain/check.ts';
import { WatcherError } from '../domain/errors.ts';
import type { Entry } from './kv.ts';
import { NewerRecord, parseRecord } from './records.ts';

/** A chunk is cut in two past this, as long as it holds more than one definition. */
const CHUNK_BYTES = 256 * 1024;

/** `[id, key, index into specs]` */
type StoredJob = readonly [CheckId, string, number];

/** Streams will be chunks of another kind. */
interface Chunk {
  readonly kind: 'check';
  readonly specs: readonly CheckSpec[];
  readonly jobs: readonly StoredJob[];
}

/** Texts of specs by identity: a catalogue shares one spec object among the checks of a file. */
const textOf = new WeakMap<CheckSpec, string>();

const specText = (spec: CheckSpec): string => {
  let text = textOf.get(spec);
  if (text === undefined) {
    text = JSON.stringify(spec);
    textOf.set(spec, text);
  }
  return text;
};

/** The chunk's JSON before it is deflated; the same definitions always give the same text. */
const chunkText = (definitions: readonly CheckDefinition[]): string => {
  const indexOf = new Map<string, number>();
  const jobs = definitions.map(({ id, key, spec }): StoredJob => {
    const text = specText(spec);
    const index = indexOf.get(text) ?? indexOf.size;
    indexOf.set(text, index);
    return [id, key, index];
  });
  return `{"v":1,"kind":"check","specs":[${[...indexOf.keys()].join(',')}],"jobs":${JSON.stringify(jobs)}}`;
};

/** What tells two versions of a jobset's definitions apart, at a tenth of the cost of encoding. */
export const digestOf = (definitions: readonly CheckDefinition[]): string =>
  createHash('sha256').update(chunkText(definitions)).digest('base64url');

/** Usually one chunk; more when the definitions are so big that one would pass 256 KiB. */
export const encodeDefinitions = (definitions: readonly CheckDefinition[]): Buffer[] => {
  const chunk = deflateRawSync(chunkText(definitions), { level: 3 });
  if (chunk.length <= CHUNK_BYTES || definitions.length < 2) return [chunk];
  const half = Math.ceil(definitions.length / 2);
  return [
    ...encodeDefinitions(definitions.slice(0, half)),
    ...encodeDefinitions(definitions.slice(half)),
  ];
};

/**
 * Of all that stands under a jobset's prefix, in any order. Throws WCH_RECORD for a chunk that is damaged
 * or of a newer watcher; passes over a key that is no chunk's.
 */
export const decodeDefinitions = (entries: readonly Entry[]): CheckDefinition[] =>
  chunksIn(entries).flatMap((entry) => {
    const chunk = readChunk(entry);
    const specs = chunk.specs.map(deepFreeze);
    return chunk.jobs.map(([id, key, index]) => ({ id, key, spec: specs[index] as CheckSpec }));
  });

const CHUNK_KEY = /\/(\d+)$/;

/** By number: in the order of keys, the eleventh chunk stands before the third. */
const chunksIn = (entries: readonly Entry[]): readonly Entry[] =>
  entries
    .flatMap((entry) => {
      const number = CHUNK_KEY.exec(entry.key)?.[1];
      return number === undefined ? [] : [{ entry, number: Number(number) }];
    })
    .sort((a, b) => a.number - b.number)
    .map(({ entry }) => entry);

const readChunk = (entry: Entry): Chunk => {
  const record = parseRecord(entry.key, inflate(entry));
  const isOfNewer = typeof record['kind'] === 'string' && record['kind'] !== 'check';
  if (isOfNewer || specsIn(record).some(isUnknown))
    throw new NewerRecord(entry.key, 'holds jobs of a kind that this watcher does not know');
  if (isChunk(record)) return record;
  throw new WatcherError('WCH_RECORD', `${entry.key} is damaged: look at "specs" and "jobs"`);
};

type Parsed = ReturnType<typeof parseRecord>;

const specsIn = ({ specs }: Parsed): readonly { readonly kind?: unknown }[] =>
  Array.isArray(specs) ? specs.filter((spec) => typeof spec === 'object' && spec !== null) : [];

const KINDS: Readonly<Record<CheckSpec['kind'], true>> = { http: true };
const isUnknown = ({ kind }: { readonly kind?: unknown }): boolean =>
  typeof kind === 'string' && !Object.hasOwn(KINDS, kind);

const isChunk = (record: Parsed): record is Parsed & Chunk => {
  const { kind, specs, jobs } = record;
  if (kind !== 'check' || !Array.isArray(specs) || !Array.isArray(jobs)) return false;
  const isJob = ([id, key, index]: readonly unknown[]): boolean =>
    typeof id === 'string' && typeof key === 'string' && isSpec(specs[index as number]);
  return jobs.every((job) => Array.isArray(job) && isJob(job));
};

const isSpec = (spec: { readonly kind?: unknown } | null | undefined): boolean =>
  typeof spec?.kind === 'string';

const inflate = (entry: Entry): string => {
  try {
    return inflateRawSync(entry.value).toString();
  } catch (cause) {
    throw new WatcherError('WCH_RECORD', `${entry.key} is damaged`, { cause });
  }
};

const deepFreeze = <T>(value: T): T => {
  if (typeof value !== 'object' || value === null) return value;
  for (const part of Object.values(value)) deepFreeze(part);
  return Object.freeze(value);
};
