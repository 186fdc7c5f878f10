/** How watcher itself is: meter → **self report** → GET /v1/self, `watcher self`. */

import type {
  PoolStanding,
  Quantiles,
  SelfReport,
  SelfSource,
  SinkView,
  SpoolView,
} from '../domain/status.ts';
import type { Clock, Timer } from './clock.ts';
import type { Histogram, Meter, Sample } from './meter.ts';
import { type Facts, findingsOf, lostOf, type Mark } from './self-findings.ts';

/** What has gone wrong counts as a finding for one to two windows. */
const WINDOW_MS = 60_000;

export interface SelfMonitorOptions {
  readonly clock: Clock;
  readonly meter: Meter;
  readonly worker: string;
  readonly version: string;
  /** What became of results on their way out. */
  readonly flow: ResultFlow;
  readonly standing: () => PoolStanding;
}

export interface ResultFlow {
  readonly views: readonly SinkView[];
  readonly spool: SpoolView | null;
}

export class SelfMonitor implements SelfSource, Disposable {
  readonly #options: SelfMonitorOptions;
  #before: Mark = { run: 0, late: 0, lost: 0 };
  #mark: Mark = this.#before;
  #timer: Timer;

  constructor(options: SelfMonitorOptions) {
    this.#options = options;
    this.#timer = options.clock.after(WINDOW_MS, () => this.#rollWindow());
    const { clock, meter, version, worker } = options;
    const startedAt = clock.monotonicMs();
    const labels = { version, node: process.version, worker };
    meter.observe('watcher.process', () => [{ labels, value: 1 }]);
    meter.observe('watcher.uptime', () => clock.monotonicMs() - startedAt);
    meter.observe('watcher.memory.rss', () => process.memoryUsage.rss());
  }

  self(): SelfReport {
    const facts = this.#facts();
    const findings = findingsOf(facts, this.#before);
    return { status: findings.length === 0 ? 'ok' : 'degraded', findings, ...facts };
  }

  [Symbol.dispose](): void {
    this.#timer.cancel();
  }

  #rollWindow(): void {
    const { checks, sinks } = this.#facts();
    this.#before = this.#mark;
    this.#mark = { run: checks.run, late: checks.late, lost: lostOf(sinks) };
    this.#timer = this.#options.clock.after(WINDOW_MS, () => this.#rollWindow());
  }

  #facts(): Facts {
    const { meter, worker, version, flow, standing } = this.#options;
    const uptimeMs = meter.total('watcher.uptime');
    const rssBytes = meter.total('watcher.memory.rss');
    const { version: node, pid } = process;
    return {
      process: { worker, version, node, pid, uptimeMs, rssBytes },
      sinks: flow.views,
      spool: flow.spool,
      pool: standing(),
      ...factsOf(meter),
    };
  }
}

const factsOf = (meter: Meter): Omit<Facts, 'process' | 'sinks' | 'spool' | 'pool'> => {
  const loop = byLabel(meter.samples('watcher.event_loop.delay'), 'stat');
  const diagnostics = byLabel(meter.samples('watcher.config.diagnostics'), 'severity');
  return {
    checks: {
      held: meter.total('watcher.checks.held'),
      scheduled: meter.total('watcher.checks.scheduled'),
      run: meter.total('watcher.checks.run'),
      skipped: byLabel(meter.samples('watcher.checks.skipped'), 'reason'),
      pending: meter.total('watcher.checks.pending'),
      unaccounted: meter.total('watcher.checks.unaccounted'),
      late: meter.total('watcher.checks.late'),
    },
    results: byLabel<SelfReport['results']>(meter.samples('watcher.results'), 'status'),
    lateness: quantilesOf(meter.histogram('watcher.check.lateness')),
    duration: quantilesOf(meter.histogram('watcher.check.duration')),
    runs: {
      inFlight: meter.total('watcher.runs.in_flight'),
      waiting: meter.total('watcher.runs.waiting'),
      concurrency: meter.total('watcher.runs.concurrency'),
    },
    eventLoop: {
      delayP99Ms: loop['p99'] ?? 0,
      delayMaxMs: loop['max'] ?? 0,
      utilisation: meter.total('watcher.event_loop.utilisation'),
    },
    networkSuspected: meter.total('watcher.network.suspected') > 0,
    config: {
      files: meter.total('watcher.config.files'),
      errors: diagnostics['error'] ?? 0,
      warnings: diagnostics['warning'] ?? 0,
      fileErrors: meter
        .samples('watcher.config.file_errors')
        .map(({ labels }) => ({ file: labels['file'] ?? '', code: labels['code'] ?? '' })),
    },
    heartbeatAgeMs: meter.total('watcher.heartbeat.age'),
  };
};

const quantilesOf = (histogram: Histogram): Quantiles | null =>
  histogram.count === 0
    ? null
    : {
        p50: histogram.quantile(0.5),
        p95: histogram.quantile(0.95),
        p99: histogram.quantile(0.99),
      };

const byLabel = <T = Readonly<Record<string, number>>>(
  samples: readonly Sample[],
  label: string,
): T => Object.fromEntries(samples.map(({ labels, value }) => [labels[label], value])) as T;
