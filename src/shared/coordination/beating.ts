/**
 * The heartbeat's transaction: "if all that I believe to hold is still mine, write that I live and how far
 * I am". It renews nothing, it proves: worker → lease renewed → **beat** → fence.
 */

import type { JobsetId } from '../domain/check.ts';
import type { Beat, Checkpoint, WorkerProgress } from '../domain/jobset.ts';
import { isFull } from './backoff.ts';
import type { Entry, Read, Revision, Write } from './kv.ts';
import type { Claim, Ledger, Registration } from './ledger.ts';
import { encodeBeat, encodeCheckpoint, encodeProgress } from './records.ts';

export interface BeatContent {
  readonly beat: Beat;
  readonly progress: WorkerProgress;
  /** Those that have changed since they were last stored. */
  readonly checkpoints: ReadonlyMap<JobsetId, Checkpoint>;
  /** All that the worker believes to hold. */
  readonly claims: readonly Claim[];
  /** Of the beat before this one, as far as its sender knows; 0 before the first. */
  readonly after: Revision;
}

export interface BeatOutcome {
  /** False: the registration is gone, and with it every claim. */
  readonly registered: boolean;
  /** Those of the claims that are somebody else's or nobody's now. */
  readonly lost: readonly Claim[];
  /** Whose checkpoints have been stored. */
  readonly stored: readonly JobsetId[];
  /** The store takes no writes: the claims are proven, and nothing was written. */
  readonly full: boolean;
  /** Of the registration now. */
  readonly revision: Revision;
  /** Of the latest beat now. */
  readonly beaten: Revision;
}

/** With a checkpoint for each, the beat and the progress, a transaction stays within 128 operations. */
const CLAIMS_PER_BEAT = 120;
/** Of checkpoints in one transaction; the store's limit for a request is 1.5 MiB. */
const CHECKPOINT_BYTES = 768 * 1024;

const revisionOf = (entries: readonly Entry[] | undefined): Revision =>
  entries?.[0]?.modRevision ?? 0;

/**
 * The lease must have been renewed just before: a store may answer a renewal of a lease that has ended,
 * and this transaction is what catches that lie. A claim that is lost is left out and the rest is sent
 * again, so that losing one never costs the others their proof. The race with this worker itself: it has
 * announced another state meanwhile, or its answer was lost, so its record has another revision under the
 * same lease. The beat is then sent again with that one; it is no loss, and must not go untold.
 *
 * The race with an earlier beat, which went unanswered and arrives late: it would set back what this one
 * tells, so each follows upon the one before it. Of two it is the later one that finds the other, and is
 * sent again; the earlier one finds what it does not know, and nobody is there to send it again.
 */
export const sendBeat = async (
  ledger: Ledger,
  by: Registration,
  content: BeatContent,
): Promise<BeatOutcome> => {
  const { claims } = content;
  const total = { lost: [] as Claim[], stored: [] as JobsetId[], full: false };
  let { revision } = by;
  let { after } = content;
  for (let at = 0; at === 0 || at < claims.length; at += CLAIMS_PER_BEAT) {
    const part = claims.slice(at, at + CLAIMS_PER_BEAT);
    const head = at === 0 ? headOf(ledger, by, content) : [];
    const outcome = await sendPart(
      ledger,
      { ...by, revision },
      { ...content, claims: part, after, head },
    );
    total.lost.push(...outcome.lost);
    total.stored.push(...outcome.stored);
    total.full ||= outcome.full;
    revision = outcome.revision;
    after = outcome.beaten;
    if (!outcome.registered) return { registered: false, revision, beaten: after, ...total };
  }
  return { registered: true, revision, beaten: after, ...total };
};

const sendPart = async (
  ledger: Ledger,
  registration: Registration,
  part: Omit<BeatContent, 'beat' | 'progress'> & { readonly head: readonly Write[] },
): Promise<BeatOutcome> => {
  const lost: Claim[] = [];
  let by = registration;
  let { after } = part;
  for (;;) {
    const claims = part.claims.filter((claim) => !lost.includes(claim));
    const checkpoints = checkpointsOf(ledger, claims, part.checkpoints);
    const writes = [...part.head, ...checkpoints.writes];
    const proof = await prove(ledger, by, { claims, after }, writes);
    const { registered, revision, beaten, full } = proof;
    lost.push(...proof.lost);
    const isNews = proof.lost.length > 0 || revision !== by.revision || beaten !== after;
    by = { ...by, revision };
    after = beaten;
    if (registered && !proof.holds && isNews) continue;
    const stored = proof.written ? checkpoints.of : [];
    return { registered, lost, stored, full, revision, beaten };
  }
};

const headOf = (ledger: Ledger, by: Registration, content: BeatContent): Write[] => {
  const { keys } = ledger;
  const { id } = by.worker;
  const lease = by.lease.id;
  return [
    { kind: 'put', key: keys.beat(id), value: encodeBeat(content.beat), lease },
    // Without a lease: it tells the next owners how far a dead worker was.
    { kind: 'put', key: keys.progress(id), value: encodeProgress(content.progress) },
  ];
};

const checkpointsOf = (
  { keys }: Ledger,
  claims: readonly Claim[],
  checkpoints: BeatContent['checkpoints'],
): { readonly writes: Write[]; readonly of: JobsetId[] } => {
  const writes: Write[] = [];
  const of: JobsetId[] = [];
  let bytes = 0;
  for (const { jobset } of claims) {
    const checkpoint = checkpoints.get(jobset);
    if (checkpoint === undefined) continue;
    const value = encodeCheckpoint(checkpoint);
    bytes += value.length;
    if (bytes > CHECKPOINT_BYTES) break;
    writes.push({ kind: 'put', key: keys.checkpoint(jobset), value });
    of.push(jobset);
  }
  return { writes, of };
};

/** What a worker believes. */
interface Belief {
  readonly claims: readonly Claim[];
  readonly after: Revision;
}

interface Proof {
  /** All of it is so. */
  readonly holds: boolean;
  readonly registered: boolean;
  readonly lost: readonly Claim[];
  readonly written: boolean;
  readonly full: boolean;
  readonly revision: Revision;
  readonly beaten: Revision;
}

const PROVEN = { holds: true, registered: true, lost: [], written: true, full: false } as const;

/** A store that is full refuses the writes, and would so fence the whole pool: then only ask. */
const prove = async (
  ledger: Ledger,
  by: Registration,
  belief: Belief,
  writes: readonly Write[],
): Promise<Proof> => {
  try {
    return await proveWith(ledger, by, belief, writes);
  } catch (error) {
    if (!isFull(error)) throw error;
    return { ...(await proveWith(ledger, by, belief, [])), written: false, full: true };
  }
};

const proveWith = async (
  { store, keys }: Ledger,
  by: Registration,
  { claims, after }: Belief,
  writes: readonly Write[],
): Promise<Proof> => {
  const [worker, beat] = [keys.worker(by.worker.id), keys.beat(by.worker.id)];
  const owners = claims.map(({ jobset }) => keys.owner(jobset));
  const when = [
    { key: worker, modRevision: by.revision },
    { key: beat, modRevision: after },
    ...claims.map(({ token }, i) => ({ key: owners[i] as string, modRevision: token })),
  ];
  const gets = [worker, beat, ...owners].map((key): Read => ({ kind: 'get', key }));
  const { succeeded, reads, revision: written } = await store.commit(when, writes, gets);
  const { revision } = by;
  const sent = writes.find(({ key }) => key === beat);
  if (succeeded) return { ...PROVEN, revision, beaten: sent === undefined ? after : written };
  const [last] = reads[1] ?? [];
  // A client that repeats a commit finds what it has written itself.
  if (sent?.kind === 'put' && last?.value.equals(sent.value))
    return { ...PROVEN, revision, beaten: last.modRevision };
  const lost = claims.filter((claim, i) => revisionOf(reads[i + 2]) !== claim.token);
  const [record] = reads[0] ?? [];
  const found = { holds: false, lost, written: false, full: false, beaten: revisionOf(reads[1]) };
  // By the lease, not by the revision: announcing a state writes the record anew.
  if (record?.lease !== by.lease.id) return { ...found, registered: false, revision };
  return { ...found, registered: true, revision: record.modRevision };
};
