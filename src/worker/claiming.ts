/** What a worker does about a jobset, given what it sees and what it holds: pure. */

import type { Revision } from '../shared/coordination/kv.ts';
import type { Sight } from '../shared/coordination/ledger.ts';
import type { WorkerId } from '../shared/domain/check.ts';

export type ClaimerState = 'claiming' | 'draining' | 'stopped';

/** What this worker runs. */
export interface Holding {
  readonly token: Revision;
  /** Of `jobset/<id>` when its definitions were read. */
  readonly revision: Revision;
  /** False when the lease behind the token is gone: it runs on until somebody else has it. */
  readonly proven: boolean;
}

/** A jobset as this worker sees it. */
export interface View {
  readonly sight: Sight;
  /** It is in the waiting queue. */
  readonly waits: boolean;
  /** The leader has ordered it to another worker, who is there. */
  readonly isAnothers: boolean;
}

export type Move = 'claim' | 'reload' | 'handOver' | 'lose' | 'none';

export const moveFor = (me: WorkerId, view: View, holding: Holding | undefined): Move => {
  const { sight, waits } = view;
  if (sight.revision === 0) return holding ? 'lose' : 'none';
  if (holding?.proven) return moveForProven(view, holding);
  const isFree = sight.owner === null || sight.owner === me;
  // What has been put into the queue is run by nobody, also where the lease ended just then.
  if (isFree) return waits && holding && sight.revision > holding.revision ? 'lose' : 'claim';
  return holding ? 'lose' : 'none';
};

const moveForProven = ({ sight, isAnothers }: View, holding: Holding): Move => {
  if (sight.ownRevision === holding.token) {
    // An order that is older than the claim was for the owner before.
    if (isAnothers && sight.revision > holding.token) return 'handOver';
    return sight.revision > holding.revision ? 'reload' : 'none';
  }
  // The lease has ended or somebody has deleted the key: it runs on unless another is quicker.
  return sight.ownRevision === 0 ? 'claim' : 'lose';
};

/** A worker takes jobsets and new content on only while attached, and not on its way out. */
export const mayClaim = (state: ClaimerState, attached: boolean): boolean =>
  state === 'claiming' && attached;
