/** Rules of the audit about jobsets, their jobs and their definitions. */

import {
  decodeDefinitions,
  digestOf,
  encodeDefinitions,
} from '../shared/coordination/definitions.ts';
import type { Condition, Entry, Write } from '../shared/coordination/kv.ts';
import { encodeJobset } from '../shared/coordination/records.ts';
import type { CheckDefinition, CheckId } from '../shared/domain/check.ts';
import { WatcherError } from '../shared/domain/errors.ts';
import type { Jobset } from '../shared/domain/jobset.ts';
import {
  absent,
  asSeen,
  DELETES_AT_ONCE,
  deletion,
  type Finding,
  isFree,
  ownerAsSeen,
  put,
  type Repair,
  type Rule,
  repair,
  type Scene,
  withdrawal,
} from './sweep-repair.ts';

interface Standing {
  readonly entry: Entry;
  readonly jobset: Jobset;
}

/** The races: the publisher fills it, or somebody claims it: its or its owner's revision moves on. */
export const emptyJobsets: Rule = function* (scene) {
  const { picture } = scene;
  for (const [id, { entry, record }] of picture.jobsets) {
    if (record?.jobs.length !== 0 || !isFree(picture, id)) continue;
    const when = asItStands(scene, { entry, jobset: record });
    yield repair('jobset_empty', entry, { when, writes: withdrawal(scene, id) });
  }
};

/**
 * A job that stands in several jobsets stays in one that is held, else in the one that has stood
 * longest. The races: the jobset that keeps it, or the one that loses it, changes meanwhile, or is
 * claimed or handed back: the conditions name all four.
 */
export const doubledJobs: Rule = function* (scene) {
  if (scene.picture.doubled.size === 0) return;
  const placeOf = new Map<CheckId, Standing>();
  for (const standing of inOrderOfRight(scene)) {
    const { entry, jobset } = standing;
    const kept = new Set<CheckId>();
    const keepers = new Set<Standing>();
    for (const job of jobset.jobs) {
      const place = placeOf.get(job) ?? standing;
      placeOf.set(job, place);
      if (place === standing || keepers.size >= KEEPERS_AT_ONCE) kept.add(job);
      else keepers.add(place);
    }
    if (kept.size === jobset.jobs.length) continue;
    const writes = kept.size > 0 ? keeping(scene, jobset, kept) : withdrawal(scene, jobset.id);
    const when = [standing, ...keepers].flatMap((place) => asItStands(scene, place));
    yield 'why' in writes ? writes : repair('job_doubled', entry, { when, writes });
  }
};

/** Two conditions for each of them; the next round takes the rest. */
const KEEPERS_AT_ONCE = 50;

const asItStands = (scene: Scene, { entry, jobset }: Standing): Condition[] => [
  asSeen(entry),
  ownerAsSeen(scene, jobset.id),
];

const inOrderOfRight = ({ picture }: Scene): Standing[] => {
  const standing: Standing[] = [];
  for (const { entry, record: jobset } of picture.jobsets.values())
    if (jobset !== null) standing.push({ entry, jobset });
  const rank = ({ jobset }: Standing): number => (isFree(picture, jobset.id) ? 1 : 0);
  return standing.sort((a, b) => rank(a) - rank(b) || a.entry.modRevision - b.entry.modRevision);
};

/** Writes the jobset anew with these jobs alone; its definitions were read after it. */
const keeping = (
  { picture, keys }: Scene,
  jobset: Jobset,
  jobs: ReadonlySet<CheckId>,
): Write[] | Finding => {
  const chunks = picture.chunks.get(jobset.id) ?? [];
  const definitions = readable(chunks);
  if ('why' in definitions) return definitions;
  const byId = new Map(definitions.map((definition) => [definition.id, definition]));
  const left = [...jobs].flatMap((job) => byId.get(job) ?? []);
  const encoded = encodeDefinitions(left);
  const less = { ...jobset, jobs: [...jobs], digest: digestOf(left), chunks: encoded.length };
  const puts = [
    put(keys.jobset(jobset.id), encodeJobset(less)),
    ...encoded.map((chunk, i) => put(keys.chunk(jobset.id, i), chunk)),
  ];
  const written = new Set(puts.map(({ key }) => key));
  const surplus = chunks.filter(({ key }) => !written.has(key)).slice(0, DELETES_AT_ONCE);
  return [...puts, ...surplus.map(({ key }) => deletion(key))];
};

const readable = (chunks: readonly Entry[]): CheckDefinition[] | Finding => {
  try {
    return decodeDefinitions(chunks);
  } catch (error) {
    if (!(error instanceof WatcherError && error.code === 'WCH_RECORD')) throw error;
    const key = chunks[0]?.key ?? '';
    return { kind: 'finding', reason: 'unreadable', key, why: error.message };
  }
};

/** Chunks of no jobset, or beyond those that it counts. The race: it is published with them. */
export const strayDefinitions: Rule = function* ({ picture, keys }) {
  for (const [id, chunks] of picture.chunks) {
    const seen = picture.jobsets.get(id);
    if (seen?.record === null) continue;
    const counted = new Set(seen ? chunkKeys(seen.record, keys) : []);
    const strays = chunks.filter(({ key }) => !counted.has(key)).slice(0, DELETES_AT_ONCE);
    const [first] = strays;
    if (first === undefined) continue;
    const content = readable(strays);
    const jobset = seen ? asSeen(seen.entry) : absent(keys.jobset(id));
    const when = [jobset, ...strays.map(asSeen)];
    const writes = strays.map(({ key }) => deletion(key));
    yield 'why' in content
      ? content
      : repair('definitions_without_jobset', first, { when, writes });
  }
};

const chunkKeys = (jobset: Jobset, keys: Scene['keys']): string[] =>
  Array.from({ length: jobset.chunks }, (_, i) => keys.chunk(jobset.id, i));

/**
 * Nobody could claim such a jobset, though its holder runs on. The folder still has what the ledger has
 * lost: a jobset without a digest is published anew, in its place and under its owner. What came by the
 * API is lost. The race: it is published meanwhile, and its revision moves on.
 */
export const damagedDefinitions: Rule = function* ({ picture }) {
  for (const id of picture.damaged) {
    const seen = picture.jobsets.get(id);
    if (!seen?.record || seen.record.digest === UNKNOWN) continue;
    const { entry, record } = seen;
    yield record.source === 'folder' ? publishAgain(entry, record) : lost(entry);
  }
};

const UNKNOWN = '';

const publishAgain = (entry: Entry, jobset: Jobset): Repair => {
  const writes = [put(entry.key, encodeJobset({ ...jobset, digest: UNKNOWN }))];
  return repair('definitions_damaged', entry, { when: [asSeen(entry)], writes });
};

const lost = ({ key }: Entry): Finding => ({
  kind: 'finding',
  reason: 'definitions_damaged',
  key,
  why: `definitions of ${key}, which came by the API, are damaged: add those checks again`,
});
