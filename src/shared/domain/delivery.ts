/** What leaves watcher, before any destination has encoded it: results and self reports. */

import type { JsonValue } from './check.ts';
import type { Result, Transition } from './result.ts';

declare const brand: unique symbol;

/** 16 hexadecimal digits of kind, address and key reference: the same in every process. */
export type DestinationId = string & { readonly [brand]: 'DestinationId' };

/** One number about watcher itself. A `count` is what was added since the report before. */
export interface SelfSample {
  readonly name: string;
  readonly kind: 'gauge' | 'count';
  readonly unit: 'count' | 'ms' | 'bytes' | 'ratio';
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

export type Emission = ResultEmission | SelfEmission;

/** The instant that a sink files it under: the same however often it is sent. */
export const instantOf = (emission: Emission): number =>
  emission.kind === 'result' ? emission.result.tick : emission.at;

/**
 * What identifies it in every sink, so that a repeat can be told from news: `check@tick`, both as
 * they stand in the JSON line. The tick is in ms since the epoch.
 */
export const identityOf = (emission: Emission): string =>
  emission.kind === 'result'
    ? `${emission.result.check}@${emission.result.tick}`
    : `self ${emission.host}@${emission.at}`;

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
