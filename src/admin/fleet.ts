/** The pool as its leader sees it: folded from watches, judged without asking the store anything. */

import type { Term } from '../shared/coordination/election.ts';
import type { Revision } from '../shared/coordination/kv.ts';
import type { JobsetId, WorkerId } from '../shared/domain/check.ts';
import type { Beat, Jobset, Waiting, WorkerRecord } from '../shared/domain/jobset.ts';

/** Sums are kept with each change, so that no judgement walks through all jobsets. */
export interface FleetWorker {
  readonly record: WorkerRecord;
  /** Of `worker/<id>`. */
  readonly revision: Revision;
  /** The leader's monotonic clock, ms, when it came; before all else if it was there before its leader. */
  readonly since: number;
  /** Null before its first one has been seen. */
  readonly beat: Beat | null;
  /** How many beats in a row have said that its scheduler stands still. */
  readonly stuckBeats: number;
  readonly holds: ReadonlySet<JobsetId>;
  /** Of all that it holds. */
  readonly jobs: number;
  /** Jobs that are ordered to it and not there yet. */
  readonly coming: number;
  /** Jobs that it holds and is to hand over. */
  readonly going: number;
}

export interface FleetJobset {
  readonly id: JobsetId;
  readonly jobs: number;
  readonly zone: string | null;
  readonly avoid: readonly WorkerId[];
  readonly waiting: Waiting | null;
  readonly moveTo: WorkerId | null;
  readonly revision: Revision;
  /** The leader's monotonic clock, ms, when it last changed or passed to somebody else. */
  readonly since: number;
  /** Of `own/<id>`; 0 when there is none. */
  readonly ownRevision: Revision;
  /** Null when nobody holds it. */
  readonly owner: WorkerId | null;
  /** Whether `moveTo` has yet to be obeyed. */
  readonly isOrdered: boolean;
}

export interface Fleet {
  readonly workers: ReadonlyMap<WorkerId, FleetWorker>;
  readonly jobsets: ReadonlyMap<JobsetId, FleetJobset>;
  /** Those that wait and that nobody holds, quarantined ones too, with the names of their jobs. */
  readonly waiting: ReadonlyMap<JobsetId, Jobset>;
  /** Those that somebody holds although they wait. */
  readonly claimedWaiting: ReadonlySet<JobsetId>;
  /** Those that nobody holds, though they neither wait nor are ordered anywhere. */
  readonly vacant: ReadonlySet<JobsetId>;
  /** Those with `isOrdered`. */
  readonly ordered: ReadonlySet<JobsetId>;
  /** Of all jobsets. */
  readonly jobs: number;
}

/** Whoever else looks at the picture while this admin leads. */
export interface FleetListener {
  /** After a change, and at least every second; must not throw. */
  update(fleet: Fleet, term: Term): void;
  /** The term is over. */
  over(): void;
}
