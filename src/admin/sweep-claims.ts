/** Rules of the audit about who works and who holds what. */

import { encodeJobset } from '../shared/coordination/records.ts';
import type { WorkerId } from '../shared/domain/check.ts';
import { absent, asSeen, deleting, ownerAsSeen, put, type Rule, repair } from './sweep-repair.ts';

/** Clocks of machines differ; by that much, none does. */
const FUTURE_MS = 3_600_000;

/**
 * A claim is void without a lease, which nothing would ever end, and without a registered worker, whose
 * beats would prove it. The race: the worker registers meanwhile, and the condition on it fails.
 */
export const voidClaims: Rule = function* ({ picture, keys }) {
  for (const { entry, record } of picture.owners.values()) {
    const worker = record?.worker ?? null;
    if (worker === null) continue;
    if (entry.lease === null) yield deleting('claim_void', entry);
    else if (!picture.workers.has(worker))
      yield deleting('claim_void', entry, [absent(keys.worker(worker))]);
  }
};

/** It would look alive for ever, and others would leave jobsets to it. */
export const unleasedWorkers: Rule = function* ({ picture }) {
  for (const { entry, record } of picture.workers.values())
    if (entry.lease === null && record !== null) yield deleting('worker_without_lease', entry);
};

/** The race: the jobset is published meanwhile, and is no longer absent. */
export const strayOwners: Rule = function* ({ picture, keys }) {
  for (const [id, { entry, record }] of picture.owners)
    if (record !== null && !picture.jobsets.has(id))
      yield deleting('owner_without_jobset', entry, [absent(keys.jobset(id))]);
};

export const strayCheckpoints: Rule = function* ({ picture, keys }) {
  for (const [id, { entry, record }] of picture.checkpoints)
    if (record !== null && !picture.jobsets.has(id))
      yield deleting('checkpoint_without_jobset', entry, [absent(keys.jobset(id))]);
};

export const straySuspects: Rule = function* ({ picture, keys }) {
  for (const [id, { entry, record }] of picture.suspects)
    if (record !== null && !picture.jobsets.has(id))
      yield deleting('suspects_without_jobset', entry, [absent(keys.jobset(id))]);
};

/**
 * An order that has been obeyed, that somebody was quicker than, or whose worker is gone: it must not
 * look like a new one when the jobset is written for another reason. The races: it is ordered anew, and
 * the jobset's revision moves on; or it is claimed or handed back at this moment.
 */
export const voidOrders: Rule = function* (scene) {
  const { picture, keys } = scene;
  for (const [id, { entry, record }] of picture.jobsets) {
    const to = record?.moveTo ?? null;
    if (record === null || to === null) continue;
    const own = picture.owners.get(id);
    const owner = own?.record?.worker ?? null;
    const isLater = own !== undefined && own.entry.modRevision > entry.modRevision;
    const isOver = owner === to || (owner !== null && isLater);
    if (!isOver && picture.workers.has(to)) continue;
    const gone = isOver ? ownerAsSeen(scene, id) : absent(keys.worker(to));
    const writes = [put(entry.key, encodeJobset({ ...record, moveTo: null }))];
    yield repair('order_void', entry, { when: [asSeen(entry), gone], writes });
  }
};

/**
 * Progress of a worker that is gone, and that no checkpoint names. No condition can say the latter. The
 * race: the worker comes back and a checkpoint names it again. It then writes its progress first, and
 * both were looked at before the checkpoints were: the progress is no longer as it was seen.
 */
export const unusedProgress: Rule = function* ({ picture, keys }) {
  const named = new Set<WorkerId>();
  for (const { record } of picture.checkpoints.values()) {
    // A checkpoint that cannot be read may name any of them.
    if (record === null) return;
    if (record.worker !== null) named.add(record.worker);
  }
  for (const [worker, { entry, record }] of picture.progresses)
    if (record !== null && !picture.workers.has(worker) && !named.has(worker))
      yield deleting('progress_unused', entry, [absent(keys.worker(worker))]);
};

/** Until then its checks would look done. */
export const futureProgress: Rule = function* ({ picture, now }) {
  const seen = [
    ...picture.progresses.values().map(({ entry, record }) => ({ entry, progress: record })),
    ...picture.checkpoints.values().map(({ entry, record }) => ({
      entry,
      progress: record?.progress ?? null,
    })),
  ];
  for (const { entry, progress } of seen) {
    const aheadMs = (progress?.through ?? 0) - now;
    if (aheadMs <= FUTURE_MS) continue;
    const why = `${entry.key} says that all is done for the next ${Math.round(aheadMs / 60_000)} minutes`;
    yield { kind: 'finding', reason: 'checkpoint_in_future', key: entry.key, why };
  }
};

export const unreadables: Rule = function* ({ picture }) {
  for (const seen of picture.unreadable) yield { kind: 'finding', reason: 'unreadable', ...seen };
};
