/**
 * What an audit finds: picture → **judgement** → repairs and findings. Pure: the same picture gives the
 * same judgement, and a ledger that is whole gives none.
 */

import type { Revision } from '../shared/coordination/kv.ts';
import { encodeJobset } from '../shared/coordination/records.ts';
import type { JobsetId } from '../shared/domain/check.ts';
import {
  futureProgress,
  strayCheckpoints,
  strayOwners,
  straySuspects,
  unleasedWorkers,
  unreadables,
  unusedProgress,
  voidClaims,
  voidOrders,
} from './sweep-claims.ts';
import {
  damagedDefinitions,
  doubledJobs,
  emptyJobsets,
  strayDefinitions,
} from './sweep-content.ts';
import type { Picture } from './sweep-picture.ts';
import {
  asSeen,
  type Finding,
  put,
  type Repair,
  type Rule,
  repair,
  type Scene,
} from './sweep-repair.ts';

/** Since when a jobset stands as it does. */
export interface Standing {
  readonly revision: Revision;
  /** On the leader's own monotonic clock: no other machine's is asked. */
  readonly sinceMs: number;
}

/** Those with workers to avoid. */
export type Avoiding = ReadonlyMap<JobsetId, Standing>;

/** After that, an endpoint that a worker could not reach may be tried by it again. */
export const AVOID_MS = 600_000;

const RULES: readonly Rule[] = [
  voidClaims,
  unleasedWorkers,
  doubledJobs,
  emptyJobsets,
  strayOwners,
  strayCheckpoints,
  straySuspects,
  strayDefinitions,
  damagedDefinitions,
  unusedProgress,
  voidOrders,
  futureProgress,
  unreadables,
];

export interface Judgement {
  readonly repairs: readonly Repair[];
  readonly findings: readonly Finding[];
  /** For the next sweep. */
  readonly avoiding: Avoiding;
}

export const judge = (scene: Scene, before: Avoiding, monotonicMs: number): Judgement => {
  const repairs: Repair[] = [];
  const findings: Finding[] = [];
  for (const rule of RULES)
    for (const outcome of rule(scene)) {
      if (outcome.kind === 'repair') repairs.push(outcome);
      else findings.push(outcome);
    }
  const avoiding = avoidingIn(scene.picture, before, monotonicMs);
  repairs.push(...expiredAvoids(scene.picture, avoiding, monotonicMs));
  return { repairs, findings, avoiding };
};

const avoidingIn = (picture: Picture, before: Avoiding, monotonicMs: number): Avoiding => {
  const avoiding = new Map<JobsetId, Standing>();
  for (const [id, { entry, record }] of picture.jobsets) {
    if (record === null || record.avoid.length === 0) continue;
    const known = before.get(id);
    const revision = entry.modRevision;
    const isAsBefore = known?.revision === revision;
    avoiding.set(id, isAsBefore ? known : { revision, sinceMs: monotonicMs });
  }
  return avoiding;
};

/** The race: the jobset is split or published meanwhile, and its ten minutes begin anew. */
function* expiredAvoids(
  picture: Picture,
  avoiding: Avoiding,
  monotonicMs: number,
): Generator<Repair> {
  for (const [id, { sinceMs }] of avoiding) {
    const seen = picture.jobsets.get(id);
    if (!seen?.record || monotonicMs - sinceMs < AVOID_MS) continue;
    const { entry, record } = seen;
    const writes = [put(entry.key, encodeJobset({ ...record, avoid: [] }))];
    yield repair('avoid_expired', entry, { when: [asSeen(entry)], writes });
  }
}
