/** What leaves watcher, before any destination has encoded it: results, self reports, the pool's size. */

import type { JsonValue } from './check.ts';
import type { Result, Transition } from './result.ts';

declare const brand: unique symbol;

/** 16 hexadecimal digits of kind, address and key reference: the same in every process. */
export type DestinationId = string & { readonly [brand]: 'DestinationId' };

/** One number about watcher itself. A `count` is what was added since the report before. */
export interface SelfSample {
  readonly name: string;
  readonly kind: 'gauge' | 'count';
  readonly unit: 'count' | 'ms' | 'bytes' | 'ratio' | 'percent';
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface ResultEmission {
  readonly kind: 'result';
  readonly result: Result;
  readonly transition: Transition | null;
}

/** How watcher itself is, at one moment. */
export interface SelfEmission {
  readonly kind: 'self';
  /** Ms since the epoch. */
  readonly at: number;
  readonly host: string;
  readonly status: 'ok' | 'degraded';
  /** One line each, for people. */
  readonly findings: readonly string[];
  readonly samples: readonly SelfSample[];
}

/** *Scaling limit hit*, or that it is over. */
export interface ScalingEvent {
  /** Of the episode: both of its events have it. */
  readonly episode: string;
  readonly change: 'raised' | 'cleared';
  /** Ms since the epoch; of both events. */
  readonly raisedAt: number;
  readonly waitingJobs: number;
  readonly oldestWaitingMs: number;
  readonly workers: number;
  readonly desiredWorkers: number;
  readonly capacityUtilization: number;
  /** Keys of the jobs that waited longest; not all where they are many. */
  readonly jobs: readonly string[];
}

/** How well the pool fits its load, says its leader. */
export interface ScalingEmission {
  readonly kind: 'scaling';
  /** Ms since the epoch. */
  readonly at: number;
  readonly pool: string;
  /** Labelled with the pool: whichever process leads, they are the same series. */
  readonly samples: readonly SelfSample[];
  /** Null: the level alone. */
  readonly event: ScalingEvent | null;
}

export type Emission = ResultEmission | SelfEmission | ScalingEmission;
/** What check files post: they know nothing of the pool. */
export type PostedEmission = ResultEmission | SelfEmission;

/** A change is told before what only repeats the state, and is kept when room is scarce. */
export const isChange = (emission: Emission): boolean => {
  switch (emission.kind) {
    case 'result':
      return emission.transition !== null;
    case 'scaling':
      return emission.event !== null;
    case 'self':
      return false;
  }
};

/** Somebody acts on it: it does not wait to be sent together with others. */
export const isPrompt = ({ kind }: Emission): boolean => kind === 'scaling';

/** The instant that a sink files it under: the same however often it is sent. */
export const instantOf = (emission: Emission): number =>
  emission.kind === 'result' ? emission.result.tick : emission.at;

/**
 * What identifies it in every sink, so that a repeat can be told from news: `check@tick`, both as
 * they stand in the JSON line. The tick is in ms since the epoch.
 */
export const identityOf = (emission: Emission): string => {
  switch (emission.kind) {
    case 'result':
      return `${emission.result.check}@${emission.result.tick}`;
    case 'self':
      return `self ${emission.host}@${emission.at}`;
    case 'scaling':
      return emission.event === null
        ? `scaling ${emission.pool}@${emission.at}`
        : eventIdOf(emission.event);
  }
};

/** The same however often it is sent, and whoever sends it. */
export const eventIdOf = ({ episode, change }: ScalingEvent): string => `${episode}:${change}`;

/** Why something produced was not delivered: produced = delivered + pending + dropped(reason). */
export const DROP_REASONS = {
  window: 'older than what the sink accepts',
  size: 'one item alone is larger than what the sink accepts',
  refused: 'the sink refused this very item',
  overflow: 'the oldest had to go when the backlog was full',
  shutdown: 'the process ended, and there is no state folder to keep it in',
  unreadable: 'the state folder gave it back damaged',
} as const;
export type DropReason = keyof typeof DROP_REASONS;

export const nothingDropped = (): Record<DropReason, number> =>
  Object.fromEntries(Object.keys(DROP_REASONS).map((reason) => [reason, 0])) as Record<
    DropReason,
    number
  >;

/** A post as a check file configures it, rendered for one run. Never holds a secret. */
export type PostBody = JsonValue;
