/** What the rules of an audit yield: repairs, and findings that only a person can put right. */

import type { Keys } from '../shared/coordination/keys.ts';
import type { Condition, Entry, Write } from '../shared/coordination/kv.ts';
import type { JobsetId } from '../shared/domain/check.ts';
import type { Picture } from './sweep-picture.ts';

export type RepairReason =
  | 'avoid_expired'
  | 'checkpoint_without_jobset'
  | 'claim_void'
  | 'definitions_damaged'
  | 'definitions_without_jobset'
  | 'job_doubled'
  | 'jobset_empty'
  | 'order_void'
  | 'owner_without_jobset'
  | 'progress_unused'
  | 'suspects_without_jobset'
  | 'worker_without_lease';

export interface Repair {
  readonly kind: 'repair';
  readonly reason: RepairReason;
  /** The key that it is about. */
  readonly key: string;
  /** Everything that it rests on: when one of them has moved on, nothing is written. */
  readonly when: readonly Condition[];
  readonly writes: readonly Write[];
}

/** Left alone. */
export interface Finding {
  readonly kind: 'finding';
  readonly reason: 'checkpoint_in_future' | 'definitions_damaged' | 'unreadable';
  readonly key: string;
  readonly why: string;
}

export interface Scene {
  readonly picture: Picture;
  readonly keys: Keys;
  /** Wall clock, ms since the epoch. */
  readonly now: number;
}

export type Rule = (scene: Scene) => Iterable<Repair | Finding>;

/** Keys a repair deletes at most, well under the store's limit; the next sweep takes the rest. */
export const DELETES_AT_ONCE = 100;

export const asSeen = ({ key, modRevision }: Entry): Condition => ({ key, modRevision });
export const absent = (key: string): Condition => ({ key, modRevision: 0 });
export const deletion = (key: string): Write => ({ kind: 'delete', key });

export const put = (key: string, value: Buffer): Write => ({ kind: 'put', key, value });

export const repair = (
  reason: RepairReason,
  { key }: Entry,
  { when, writes }: Pick<Repair, 'when' | 'writes'>,
): Repair => ({ kind: 'repair', reason, key, when, writes });

/** Takes away one key as it was seen. */
export const deleting = (
  reason: RepairReason,
  entry: Entry,
  when: readonly Condition[] = [],
): Repair =>
  repair(reason, entry, { when: [asSeen(entry), ...when], writes: [deletion(entry.key)] });

/** Handed back, or its owner is gone. One that this version cannot read is held. */
export const isFree = ({ owners }: Picture, id: JobsetId): boolean => {
  const own = owners.get(id);
  return own === undefined || own.record?.worker === null;
};

/** Holds as long as nobody claims the jobset or hands it back. */
export const ownerAsSeen = ({ picture, keys }: Scene, id: JobsetId): Condition => {
  const own = picture.owners.get(id);
  return own ? asSeen(own.entry) : absent(keys.owner(id));
};

/** Takes a jobset away with all that is about it. */
export const withdrawal = ({ picture, keys }: Scene, id: JobsetId): Write[] => {
  const chunks = (picture.chunks.get(id) ?? []).slice(0, DELETES_AT_ONCE);
  const about = [keys.jobset(id), keys.owner(id), keys.checkpoint(id), keys.suspects(id)];
  return [...about, ...chunks.map(({ key }) => key)].map(deletion);
};
