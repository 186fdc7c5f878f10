/** What the roles of a process have in common, as app.ts joins them. */

import type { CheckId, SelfDefinition } from './shared/domain/check.ts';
import type { Health, PoolStanding } from './shared/domain/status.ts';
import type { Route } from './shared/http/route.ts';

export interface Part extends AsyncDisposable {
  readonly routes: readonly Route[];
  readonly health: Health;
  /** What it knows of the process's place in the pool. */
  readonly standing: Partial<PoolStanding>;
  /** Of a part with a schedule: how long the first of it has been due without being started. */
  readonly overdueMs?: number;
  /** Of a check that it knows by itself; null of others. */
  keyOf(id: CheckId): string | null;
  /** Once the process listens. `follow` hears of the `self` blocks that it is to post. */
  start(follow: (selves: readonly SelfDefinition[]) => void): void;
}
