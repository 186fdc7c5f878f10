/** The JSON shapes that a process serves and `watcher status` and `watcher self` print. */

import type { DropReason } from './delivery.ts';
import type { SkipReason, Status } from './result.ts';

/** Upper bounds, in ms, read from a logarithmic histogram; null before the first run. */
export interface Quantiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/** `pending` before the first result. */
export type CheckStatus = Status | 'pending';

/** Worst first: the order in which people want to see checks. */
export const CHECK_STATUSES: readonly CheckStatus[] = [
  'critical',
  'unknown',
  'warning',
  'pending',
  'ok',
];

/** One check as its worker sees it now. Times are ms since the epoch. */
export interface CheckView {
  readonly check: string;
  readonly id: string;
  readonly jobset: string;
  readonly status: CheckStatus;
  readonly reason: string | null;
  /** Since when the status has been what it is. */
  readonly since: number | null;
  readonly lastTick: number | null;
  readonly durationMs: number | null;
  readonly latenessMs: number | null;
  readonly nextTick: number | null;
  readonly lateness: Quantiles | null;
  readonly runs: number;
  readonly skipped: number;
}

export type StatusSummary = Readonly<Record<CheckStatus, number>>;

export interface StatusFilter {
  readonly status?: CheckStatus;
  /** In the order of the source, which stays the same while no check comes or goes. */
  readonly offset?: number;
  readonly limit?: number;
}

/** What a process knows of its checks. A port: a worker of 100,000 checks is read page by page. */
export interface StatusSource {
  checks(filter?: StatusFilter): readonly CheckView[];
  find(key: string): CheckView | null;
  summary(): StatusSummary;
}

/** `GET /v1/status`. */
export interface StatusPage {
  readonly summary: StatusSummary;
  readonly checks: readonly CheckView[];
  /** Offset of the next page; null on the last one. */
  readonly next: number | null;
}

export type SelfFindingCode =
  | 'config_errors'
  | 'results_lost'
  | 'sink_failing'
  | 'state_folder'
  | 'detached'
  | 'store_away'
  | 'not_publishing'
  | 'scaling_limit'
  | 'quarantined'
  | 'behind'
  | 'event_loop'
  | 'network'
  | 'unaccounted';

/** What became of the results for one sink: produced = delivered + pending + dropped, all reasons. */
export interface SinkView {
  /** What it is called in logs and metrics. */
  readonly sink: string;
  readonly produced: number;
  readonly delivered: number;
  readonly pending: number;
  readonly dropped: Readonly<Record<DropReason, number>>;
  /** Items that were sent again. */
  readonly retried: number;
  readonly calls: number;
  /** Age of the oldest that is pending. */
  readonly lagMs: number;
  /** Why the last call failed; null while calls succeed. */
  readonly failing: string | null;
}

/** Where undelivered results are kept. */
export interface SpoolView {
  /** Null without a state folder. */
  readonly folder: string | null;
  readonly diskBytes: number;
  readonly memoryBytes: number;
  readonly damaged: number;
  /** Why the folder cannot be written to; null while it can. */
  readonly problem: string | null;
}

/** Something about watcher itself that needs a person. */
export interface SelfFinding {
  readonly code: SelfFindingCode;
  readonly message: string;
}

/** `GET /v1/self`: how watcher itself is. Durations in ms, counts since the process started. */
export interface SelfReport {
  readonly status: 'ok' | 'degraded';
  readonly findings: readonly SelfFinding[];
  readonly process: {
    readonly worker: string;
    readonly version: string;
    readonly node: string;
    readonly pid: number;
    readonly uptimeMs: number;
    readonly rssBytes: number;
  };
  readonly checks: {
    readonly held: number;
    readonly scheduled: number;
    readonly run: number;
    readonly skipped: Readonly<Record<SkipReason, number>>;
    readonly pending: number;
    /** 0, or watcher has a defect. */
    readonly unaccounted: number;
    readonly late: number;
  };
  readonly results: Readonly<Record<Status, number>>;
  readonly sinks: readonly SinkView[];
  /** Null where results go to nobody but the screen. */
  readonly spool: SpoolView | null;
  readonly lateness: Quantiles | null;
  readonly duration: Quantiles | null;
  readonly runs: {
    readonly inFlight: number;
    readonly waiting: number;
    readonly concurrency: number;
  };
  readonly eventLoop: {
    readonly delayP99Ms: number;
    readonly delayMaxMs: number;
    readonly utilisation: number;
  };
  /** Most targets fail at once, which speaks against the network here. */
  readonly networkSuspected: boolean;
  readonly config: {
    readonly files: number;
    readonly errors: number;
    readonly warnings: number;
    readonly fileErrors: readonly { readonly file: string; readonly code: string }[];
  };
  readonly heartbeatAgeMs: number;
  readonly pool: PoolStanding;
}

/** The place of a process in its pool; a process that is alone is a pool of one. */
export interface PoolStanding {
  /** Whether it can prove that it owns what it runs; null where it runs nothing. */
  readonly attached: boolean | null;
  /** Whether it is the one admin that publishes; null where it is none. */
  readonly leading: boolean | null;
  /** Why the ledger lacks something that the folder has; null while it has all. */
  readonly unpublished: string | null;
  /** What waits as no worker has room, says the leader; null: nothing does, or another leads. */
  readonly shortage: string | null;
  /** Jobs that nobody runs, since workers have died of them; known to the leader. */
  readonly quarantined: number;
  /** Why the store does not answer; null while it does. */
  readonly storeAway: string | null;
}

export interface SelfSource {
  self(): SelfReport;
}

/** `GET /healthz`: whether this process can run checks. */
export interface Health {
  readonly status: 'ok' | 'unavailable';
  /** Null when ok. */
  readonly reason: string | null;
}

/** What became of a reload that a person asked for. */
export interface ReloadReport {
  readonly checks: number;
  readonly errors: number;
  readonly warnings: number;
  /** Checks whose disappearance waits for a confirmation; 0 when none does. */
  readonly held: number;
  /** How long a folder that differs from the published one still waits for a confirmation; null: not. */
  readonly waitingMs: number | null;
}
