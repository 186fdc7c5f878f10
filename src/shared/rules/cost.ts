/**
 * What a folder creates at its sinks before it is deployed: checks and sinks → **custom metrics and
 * calls in thirty days**, which is what sinks bill. Prices are the sinks' own affair.
 */

import type { CheckDefinition, SelfDefinition } from '../domain/check.ts';
import type { SinkSettings } from '../domain/sink-settings.ts';
import type { CostReport } from './cost-report.ts';
import { Month, scheduledOf } from './month.ts';
import { namesOf, ownMetrics, sinkCosts } from './pool-cost.ts';
import { postCost, postDestinations } from './post-cost.ts';

export interface CostOptions {
  readonly definitions: readonly CheckDefinition[];
  readonly selves: readonly SelfDefinition[];
  readonly sinks: readonly SinkSettings[];
  /** Processes that share the checks; each gathers by itself. */
  readonly workers: number;
  /** Start of the thirty days, ms since the epoch, a whole second. */
  readonly from: number;
}

export const costOf = (options: CostOptions): CostReport => {
  const { definitions, workers, sinks } = options;
  const month = new Month(options.from);
  const all = definitions.map((definition) => ({
    definition,
    scheduled: scheduledOf(definition.spec.schedule, definition.id),
  }));
  const posts = postDestinations(all, options.selves);
  const names = new Set([...sinks.flatMap(namesOf), ...posts.map(({ sink }) => sink)]);
  const own = ownMetrics(names.size);
  const pool = { month, checks: all, all: all.map(({ scheduled }) => scheduled), workers, own };
  return {
    checks: all.length,
    runs: month.runsOf(pool.all),
    workers,
    destinations: [
      ...sinks.flatMap((sink) => sinkCosts(sink, pool)),
      ...posts.map((post) => postCost(post, { month, workers, own })),
    ],
  };
};
