/** What is suspected in a jobset that is held here: inquest → **guarded** → caution, ledger. */

import type { CheckId, JobsetId } from '../shared/domain/check.ts';
import type { Suspects, Suspicion } from '../shared/domain/jobset.ts';

export interface Guarded {
  readonly id: JobsetId;
  readonly jobs: Map<CheckId, Suspicion>;
  /** Nobody is to run these. */
  readonly guilty: Map<CheckId, Suspicion>;
  readonly keyOf: ReadonlyMap<CheckId, string>;
  /** The ledger says otherwise. */
  isStale: boolean;
}

/** As the ledger keeps it. */
export const suspectsIn = ({ jobs, guilty }: Guarded): Suspects['jobs'] =>
  Object.fromEntries([...jobs, ...guilty]) as Suspects['jobs'];
