/**
 * Moves jobs of a held jobset, in one transaction, to where another worker can claim them: preflight →
 * decision → **move** → claim. Some of them go to a new jobset that nobody owns; all of them stay where
 * they are, and the jobset is handed back. Either way `avoid` then names this worker.
 *
 * The races. The publisher, or another split, changes the jobset meanwhile: its revision has moved on.
 * The claim is lost meanwhile: `own` has another revision. In both cases nothing is written. The worker has
 * set the jobs aside before, and no run of theirs is in flight, so what the checkpoint says of their ticks
 * is exact: had they run on until the transaction was seen, a tick could be both theirs and the next
 * owner's. The answer is lost: `wasMoved` reads it back, and until it is known the jobs stay set aside.
 * The worker dies before the transaction: its progress does not pass what was set aside.
 */

import type { CheckDefinition, CheckId, JobsetId, WorkerId } from '../domain/check.ts';
import type { Handover, Jobset } from '../domain/jobset.ts';
import { decodeDefinitions, digestOf, encodeDefinitions } from './definitions.ts';
import type { Condition, Entry, Read, Write } from './kv.ts';
import type { Claim, Ledger } from './ledger.ts';
import { decodeJobset, encodeCheckpoint, encodeJobset, encodeOwnership } from './records.ts';

type Place = Pick<Ledger, 'store' | 'keys' | 'random'>;

/** A held jobset exactly as its claim knows it. */
export interface Content {
  readonly claim: Claim;
  readonly jobset: Jobset;
  readonly definitions: readonly CheckDefinition[];
}

/** What is to be written, and how to tell whether it was. */
export interface Move {
  readonly when: readonly Condition[];
  readonly writes: readonly Write[];
  readonly mark: Read;
  readonly isMark: (entry: Entry | undefined) => boolean;
}

/** Null when the claim is void or knows an older content. */
export const readContent = async (
  { store, keys }: Place,
  claim: Claim,
): Promise<Content | null> => {
  const { succeeded, reads } = await store.commit(conditionsOf({ keys }, claim), [
    { kind: 'get', key: keys.jobset(claim.jobset) },
    { kind: 'list', prefix: keys.definitions(claim.jobset) },
  ]);
  const entry = reads[0]?.[0];
  if (!succeeded || entry === undefined) return null;
  const jobset = decodeJobset(claim.jobset, entry);
  return { claim, jobset, definitions: decodeDefinitions(reads[1] ?? []) };
};

/** To a new jobset: these jobs, with where they stopped. */
export const splitOff = (
  { keys, random }: Place,
  content: Content,
  {
    jobs,
    by,
    handover,
  }: {
    readonly jobs: ReadonlySet<CheckId>;
    readonly by: WorkerId;
    readonly handover: Handover;
  },
): Move => {
  const { claim, jobset, definitions } = content;
  const id = random.uuid() as JobsetId;
  const parted = Map.groupBy(definitions, (definition) => jobs.has(definition.id));
  const rest = contentWrites({ keys }, jobset, parted.get(false) ?? []);
  const moved = { ...jobset, id, chunks: 0, avoid: [...jobset.avoid, by] };
  const key = keys.jobset(id);
  return {
    when: [...conditionsOf({ keys }, claim), { key, modRevision: 0 }],
    writes: [
      ...rest,
      ...contentWrites({ keys }, moved, parted.get(true) ?? []),
      ...vacancyWrites({ keys, random }, id, handover),
    ],
    mark: { kind: 'get', key },
    // Nobody else can have written it: its id is new.
    isMark: (entry) => entry !== undefined,
  };
};

/** The jobset as a whole, with where its jobs stopped. */
export const handOn = (
  { keys, random }: Place,
  { claim, jobset }: Content,
  { by, handover }: { readonly by: WorkerId; readonly handover: Handover },
): Move => {
  const { id } = jobset;
  const key = keys.jobset(id);
  const value = encodeJobset({ ...jobset, avoid: [...jobset.avoid, by] });
  return {
    when: conditionsOf({ keys }, claim),
    writes: [{ kind: 'put', key, value }, ...vacancyWrites({ keys, random }, id, handover)],
    mark: { kind: 'get', key },
    // Only this worker adds itself, and only once.
    isMark: (entry) => entry !== undefined && decodeJobset(id, entry).avoid.includes(by),
  };
};

/**
 * Whether it has been written. Throws WCH_STORE_UNAVAILABLE when nobody knows, and WCH_STORE_LIMIT for
 * definitions so big that two jobsets of them do not fit into one transaction.
 */
export const commitMove = async ({ store }: Place, move: Move): Promise<boolean> => {
  const { succeeded, reads } = await store.commit(move.when, move.writes, [move.mark]);
  // The store's client may have sent it twice, and the answer is that of the second time.
  return succeeded || move.isMark(reads[0]?.[0]);
};

/** For a move whose answer was lost. */
export const wasMoved = async ({ store }: Place, { mark, isMark }: Move): Promise<boolean> => {
  const { reads } = await store.commit([], [mark]);
  return isMark(reads[0]?.[0]);
};

type Keys = Pick<Ledger, 'keys'>;

const conditionsOf = ({ keys }: Keys, { jobset, token, revision }: Claim): Condition[] => [
  { key: keys.owner(jobset), modRevision: token },
  { key: keys.jobset(jobset), modRevision: revision },
];

/** The jobset with these definitions in place of those that it has. */
const contentWrites = (
  { keys }: Keys,
  old: Jobset,
  definitions: readonly CheckDefinition[],
): Write[] => {
  const chunks = encodeDefinitions(definitions);
  const jobset: Jobset = {
    ...old,
    jobs: definitions.map(({ id }) => id),
    digest: digestOf(definitions),
    chunks: chunks.length,
  };
  const writes: Write[] = [
    { kind: 'put', key: keys.jobset(old.id), value: encodeJobset(jobset) },
    ...chunks.map((value, i): Write => ({ kind: 'put', key: keys.chunk(old.id, i), value })),
  ];
  for (let i = chunks.length; i < old.chunks; i += 1) {
    writes.push({ kind: 'delete', key: keys.chunk(old.id, i) });
  }
  return writes;
};

const vacancyWrites = (
  { keys, random }: Omit<Place, 'store'>,
  id: JobsetId,
  { progress, states }: Handover,
): Write[] => {
  const vacant = encodeOwnership({ worker: null, nonce: random.uuid(), holdMs: 0 });
  const checkpoint = encodeCheckpoint({ worker: null, progress, states });
  return [
    { kind: 'put', key: keys.checkpoint(id), value: checkpoint },
    { kind: 'put', key: keys.owner(id), value: vacant },
  ];
};
