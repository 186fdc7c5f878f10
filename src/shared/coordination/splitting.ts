/**
 * Moves jobs of a held jobset, in one transaction, to where others can have them: preflight, relief →
 * **move** → claim. Some of them go to a new jobset that nobody owns; all of them stay where they are, and
 * the jobset is handed back. Either may go to the waiting queue, which is a flag of the same record: so a
 * job stands in exactly one jobset at each revision, and in the queue or not.
 *
 * The races. The publisher, or another split, changes the jobset meanwhile: its revision has moved on.
 * The claim is lost meanwhile: `own` has another revision. In both cases nothing is written. The worker has
 * set the jobs aside before, and no run of theirs is in flight, so what the checkpoint says of their ticks
 * is exact: had they run on until the transaction was seen, a tick could be both theirs and the next
 * owner's. The answer is lost: `wasMoved` reads it back, and until it is known the jobs stay set aside.
 * The worker dies before the transaction: its progress does not pass what was set aside.
 */

import type { CheckDefinition, CheckId, JobsetId, WorkerId } from '../domain/check.ts';
import type { Checkpoint, Handover, Jobset, Waiting } from '../domain/jobset.ts';
import { decodeDefinitions } from './definitions.ts';
import { rewritten } from './jobset-writes.ts';
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
  /** Where the jobs stand after it. */
  readonly to: JobsetId;
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

/** How jobs leave. */
export interface Leaving {
  /** Where they stopped. */
  readonly handover: Handover;
  /** Who could not reach their endpoints. */
  readonly avoid?: WorkerId;
  /** They go to the waiting queue; without it, to whoever claims them first. */
  readonly waiting?: Waiting;
}

/** To a new jobset: these jobs, with where they stopped. */
export const splitOff = (
  place: Pick<Place, 'keys' | 'random'>,
  { claim, jobset, definitions }: Content,
  { jobs, ...leaving }: Leaving & { readonly jobs: ReadonlySet<CheckId> },
): Move => {
  const { keys, random } = place;
  const id = random.uuid() as JobsetId;
  const parted = Map.groupBy(definitions, (definition) => jobs.has(definition.id));
  const rest = { ...jobset, moveTo: standingOrder(jobset, claim) };
  const moved = { ...left(jobset, leaving), id, chunks: 0 };
  const key = keys.jobset(id);
  return {
    to: id,
    when: [...conditionsOf(place, claim), { key, modRevision: 0 }],
    writes: [
      ...rewritten(keys, rest, parted.get(false) ?? []),
      ...rewritten(keys, moved, parted.get(true) ?? []),
      ...vacancyWrites(place, id, leaving),
    ],
    mark: { kind: 'get', key },
    // Nobody else can have written it: its id is new.
    isMark: (entry) => entry !== undefined,
  };
};

/** The jobset as a whole, with where its jobs stopped. */
export const handOn = (
  place: Pick<Place, 'keys' | 'random'>,
  { claim, jobset }: Content,
  leaving: Leaving,
): Move => {
  const { id } = jobset;
  const { keys } = place;
  const value = encodeJobset(left(jobset, leaving));
  return {
    to: id,
    when: conditionsOf(place, claim),
    writes: [{ kind: 'put', key: keys.jobset(id), value }, ...vacancyWrites(place, id, leaving)],
    mark: { kind: 'get', key: keys.owner(id) },
    // Another owner, or nobody: it is not here any more. Without the key it may be, for all it says.
    isMark: (entry) => entry !== undefined && entry.modRevision !== claim.token,
  };
};

/**
 * Whether the jobs are not this worker's any more. Throws WCH_STORE_UNAVAILABLE when nobody knows, and WCH_STORE_LIMIT for
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

/** An order to run it elsewhere that is older than the claim was for the owner before. */
const standingOrder = ({ moveTo }: Jobset, { token, revision }: Claim): WorkerId | null =>
  revision > token ? moveTo : null;

/** No order: whoever gives jobs away has been told by nobody whom to. */
const left = (jobset: Jobset, { avoid, waiting }: Leaving): Jobset => ({
  ...jobset,
  avoid: avoid === undefined ? jobset.avoid : [...jobset.avoid, avoid],
  waiting: waiting ?? null,
  moveTo: null,
});

const vacancyWrites = (
  { keys, random }: Pick<Place, 'keys' | 'random'>,
  id: JobsetId,
  { handover: { progress, states }, waiting }: Leaving,
): Write[] => {
  const vacant = encodeOwnership({ worker: null, nonce: random.uuid(), holdMs: 0 });
  const stopped: Checkpoint = { worker: null, progress, states };
  const checkpoint = encodeCheckpoint(waiting ? { ...stopped, waited: true } : stopped);
  return [
    { kind: 'put', key: keys.checkpoint(id), value: checkpoint },
    { kind: 'put', key: keys.owner(id), value: vacant },
  ];
};
