/** What in a self report needs a person, decided from its numbers alone. */

import type { SelfFinding, SelfReport, SinkView } from '../domain/status.ts';

const BUSY_LOOP = 0.8;
/** Share of the window's runs that started late. */
const BEHIND = 0.05;

export type Facts = Omit<SelfReport, 'status' | 'findings'>;

/** Counters when a window began, to tell what is going wrong from what once did. */
export interface Mark {
  readonly run: number;
  readonly late: number;
  readonly lost: number;
}

/** Results that a sink will never get. */
export const lostOf = (sinks: Facts['sinks']): number =>
  sinks.reduce((sum, { dropped }) => sum + Object.values(dropped).reduce((a, b) => a + b, 0), 0);

/** One finding for each thing that needs a person, each with the numbers that show it. */
export const findingsOf = (facts: Facts, before: Mark): readonly SelfFinding[] => {
  const { checks, sinks, spool, config, eventLoop, heartbeatAgeMs, pool } = facts;
  const late = checks.late - before.late;
  const run = checks.run - before.run;
  const lost = lostOf(sinks) - before.lost;
  const failing = sinks.filter(({ failing: reason }) => reason !== null);
  const seconds = (heartbeatAgeMs / 1000).toFixed(1);
  const files = [...new Set(config.fileErrors.map((error) => error.file))].join(', ');
  const findings: readonly (SelfFinding & { readonly holds: boolean })[] = [
    {
      code: 'config_errors',
      holds: config.errors > 0,
      message: `${config.errors} errors in the spec folder: ${files}`,
    },
    {
      code: 'results_lost',
      holds: lost > 0,
      message: `${lost} results will never arrive: ${reasonsOf(sinks)}`,
    },
    {
      code: 'sink_failing',
      holds: failing.length > 0,
      message: failing.map(failureOf).join('; '),
    },
    {
      code: 'state_folder',
      holds: spool !== null && spool.problem !== null,
      message: `${spool?.folder}: ${spool?.problem}; undelivered results are kept in memory`,
    },
    {
      code: 'store_away',
      holds: pool.storeAway !== null,
      message: `the store does not answer: ${pool.storeAway}`,
    },
    {
      code: 'detached',
      holds: pool.attached === false,
      message: `the claims cannot be proven, and were last renewed ${seconds} s ago`,
    },
    {
      code: 'not_publishing',
      // While the store is away, that is the reason, and it is told above.
      holds: pool.unpublished !== null && pool.storeAway === null,
      message: `the ledger lacks something of the spec folder: ${pool.unpublished}`,
    },
    {
      code: 'scaling_limit',
      holds: pool.shortage !== null,
      message: `scaling limit hit: ${pool.shortage}`,
    },
    {
      code: 'quarantined',
      holds: pool.quarantined > 0,
      message: `${pool.quarantined} checks are not run, since workers have died of them`,
    },
    {
      code: 'behind',
      holds: late > run * BEHIND,
      message: `${late} of the last ${run} runs started late`,
    },
    {
      code: 'event_loop',
      holds: eventLoop.utilisation > BUSY_LOOP,
      message: `the event loop is busy ${Math.round(eventLoop.utilisation * 100)} % of the time`,
    },
    {
      code: 'network',
      holds: facts.networkSuspected,
      message: 'most targets fail at once: the network here is suspected',
    },
    {
      code: 'unaccounted',
      holds: checks.unaccounted !== 0,
      message: `${checks.unaccounted} ticks are unaccounted for: please report it`,
    },
  ];
  return findings.filter(({ holds }) => holds).map(({ code, message }) => ({ code, message }));
};

const failureOf = ({ sink, failing, pending, lagMs }: SinkView): string =>
  `${sink}: ${failing}; ${pending} wait, the oldest for ${Math.round(lagMs / 1000)} s`;

/** `datadog series window 12, eventbridge refused 1` */
const reasonsOf = (sinks: Facts['sinks']): string =>
  sinks
    .flatMap(({ sink, dropped }) =>
      Object.entries(dropped)
        .filter(([, count]) => count > 0)
        .map(([reason, count]) => `${sink} ${reason} ${count}`),
    )
    .join(', ');
