/**
 * What every process tells of its pool, and takes for it: joins the copy of the ledger and the jobs of
 * the API to config, which knows what a check file says, and to the routes.
 */

import { checkIdOf } from './shared/config/check-id.ts';
import { ParsePool, parseHere } from './shared/config/parse-pool.ts';
import { ApiJobs } from './shared/coordination/api-jobs.ts';
import type { Keys } from './shared/coordination/keys.ts';
import type { KeyValueStore } from './shared/coordination/kv.ts';
import { LedgerReading } from './shared/coordination/ledger-reading.ts';
import { LedgerView } from './shared/coordination/ledger-view.ts';
import type { CheckDefinition, CheckId, CheckSpec, WorkerId } from './shared/domain/check.ts';
import { WatcherError } from './shared/domain/errors.ts';
import type { AddReport, JobIntake, RefusedJob } from './shared/domain/pool-views.ts';
import {
  addJobsRoute,
  jobsetRoute,
  ledgerRoute,
  releaseJobRoute,
  removeJobRoute,
  scalingRoute,
  workersRoute,
} from './shared/http/ledger-routes.ts';
import type { Route } from './shared/http/route.ts';
import type { Clock } from './shared/runtime/clock.ts';
import type { Random } from './shared/runtime/random.ts';
import { hasReference } from './shared/secrets/reference.ts';

export interface PoolViewOptions {
  readonly store: KeyValueStore;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly random: Random;
  /** Since when, monotonic, no call to the store has succeeded; null while they do. */
  readonly awaySince: () => number | null;
  /** Keys of checks that this process knows by itself; null for others. */
  readonly keyOf: (id: CheckId) => string | null;
  /** Whether callers have to show a token: without, any user of this machine is one. */
  readonly isGuarded: boolean;
  /**
   * Takes inline secrets out of what is to be stored, the same way for the same object; throws
   * WCH_SECRET where it cannot.
   */
  readonly seal: (spec: CheckSpec) => CheckSpec;
}

export interface PoolView extends AsyncDisposable {
  readonly routes: readonly Route[];
}

/** To be disposed of before the store. */
export const openPoolView = (options: PoolViewOptions): PoolView => {
  const view = new LedgerView(options);
  const ledger = new LedgerReading({ ...options, view, idOf: checkIdOf });
  const intake = intakeOf(options, new ApiJobs({ ...options, view }));
  view.start();
  return {
    routes: [
      ledgerRoute(ledger),
      jobsetRoute(ledger),
      workersRoute(ledger),
      scalingRoute(ledger),
      addJobsRoute(intake),
      removeJobRoute(intake),
      releaseJobRoute(intake),
    ],
    [Symbol.asyncDispose]: () => view[Symbol.asyncDispose](),
  };
};

const intakeOf = (options: PoolViewOptions, jobs: ApiJobs): JobIntake => ({
  add: async (file, worker) => {
    const { definitions, diagnostics, refused } = await read(file, options.clock);
    if (definitions.length === 0) return { added: [], refused, diagnostics };
    const sealed = sealedBy(options, definitions);
    const outcome = await jobs.add(sealed.definitions, worker as WorkerId | null);
    const all = [...refused, ...sealed.refused, ...outcome.refused];
    return { added: outcome.added, refused: all, diagnostics };
  },
  remove: async (check) => ({
    check,
    refused: await jobs.remove({ id: checkIdOf(check), key: check }),
  }),
  release: async (check) => ({
    check,
    refused: await jobs.release({ id: checkIdOf(check), key: check }),
  }),
});

/** Up to this much is parsed without a thread: some 10 ms, for which no check is late. */
const INLINE_BYTES = 16 * 1024;
const NAME = 'jobs.yml';

interface Wanted extends Pick<AddReport, 'refused' | 'diagnostics'> {
  readonly definitions: readonly CheckDefinition[];
}

/** A file of jobs is a check file; with an error nothing of it counts. */
const read = async (bytes: Uint8Array, clock: Clock): Promise<Wanted> => {
  using pool = new ParsePool(clock);
  const parse = bytes.length <= INLINE_BYTES ? parseHere : pool.parse;
  const { checks, selves, diagnostics } = await parse({
    file: NAME,
    name: NAME,
    bytes,
    defaults: {},
  });
  const definitions = checks.map(({ definition }) => definition);
  const isEmpty = definitions.length === 0 && diagnostics.length === 0 && selves.length === 0;
  if (isEmpty) throw new WatcherError('WCH_USAGE', 'there is no check in that file');
  const why = 'it is no job: a self block belongs in a file of the spec folder';
  const refused = selves.length === 0 ? [] : [{ check: 'self', why }];
  return { definitions, diagnostics, refused };
};

const sealedBy = (
  { seal, isGuarded }: PoolViewOptions,
  definitions: readonly CheckDefinition[],
): Omit<Wanted, 'diagnostics'> => {
  const refused: RefusedJob[] = [];
  const fit = definitions.flatMap(({ id, key, spec }) => {
    try {
      if (!isGuarded) refuseReferences(spec);
      return [{ id, key, spec: seal(spec) }];
    } catch (error) {
      if (!(error instanceof WatcherError && error.code === 'WCH_SECRET')) throw error;
      refused.push({ check: key, why: error.message });
      return [];
    }
  });
  return { definitions: fit, refused };
};

/** Whoever may add a job could let a worker send its files and variables anywhere. */
const refuseReferences = (spec: CheckSpec): void => {
  if (!hasReference(JSON.stringify(spec))) return;
  const why =
    'it refers to secrets of the workers, which only callers with a token may: set listen_token';
  throw new WatcherError('WCH_SECRET', why);
};
