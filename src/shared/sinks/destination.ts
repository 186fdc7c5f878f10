/**
 * The port of a destination: router → delivery → **destination**. A destination knows one address
 * with one key: how items become as few calls as its limits allow (pure), and how one call is made.
 * Waiting, retrying and counting are the delivery's.
 */

import type { DestinationId, Emission, PostBody } from '../domain/delivery.ts';
import type { ConnectTo } from '../rules/connect-to.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Secrets } from '../secrets/resolve.ts';
import type { HttpTransport } from './http/transport.ts';

/** One emission on its way to one destination. */
export interface Item {
  /** Of the journal's record; grows by one each. */
  readonly seq: number;
  readonly emission: Emission;
  /** What a check file configured for this destination, rendered; null for a pool-wide sink. */
  readonly body: PostBody | null;
}

/** One request, with what it carries. */
export interface Call<Payload = unknown> {
  readonly items: readonly Item[];
  /** As sent, encoded. */
  readonly bytes: number;
  readonly payload: Payload;
}

/** What came of a call. A reason is one line for people and holds no secret. */
export type Outcome =
  | { readonly kind: 'delivered' }
  /** May succeed later: no answer, 5xx, throttled. `afterMs` is what the sink asked for. */
  | { readonly kind: 'retry'; readonly reason: string; readonly afterMs?: number }
  /** Nothing will succeed before a person acts: wrong key, no permission, wrong address. */
  | { readonly kind: 'denied'; readonly reason: string }
  /** The call as a whole is too large, or something in it is bad: its halves may be accepted. */
  | { readonly kind: 'split'; readonly reason: string; readonly drop: 'size' | 'refused' }
  /** All others of the call were accepted. */
  | { readonly kind: 'partial'; readonly failed: readonly FailedItem[] };

export interface FailedItem {
  /** Into `Call.items`. */
  readonly index: number;
  /** False: this very item will never be accepted. */
  readonly retry: boolean;
  readonly reason: string;
}

export interface Destination<Payload = unknown> extends AsyncDisposable {
  readonly id: DestinationId;
  /** For logs and metrics, such as `datadog series`; without secrets, of few distinct values. */
  readonly label: string;
  /** Items are gathered this long before a call. */
  readonly windowMs: number;
  /** What is older is not accepted, or is lost silently. */
  readonly maxAgeMs: number;
  /** Calls at a time. */
  readonly concurrency: number;
  /** Limits of one call, already with a margin: what reaches one of them does not wait for the window. */
  readonly maxItems: number;
  readonly maxCallBytes: number;
  /** Whether the emission is for it at all. */
  wants(emission: Emission): boolean;
  /**
   * In the order of the items. An item that can be part of no call at all, such as one that is too
   * large alone, is in none of them, and dropped(size).
   */
  encode(items: readonly Item[]): readonly Call<Payload>[];
  /** Never rejects: what goes wrong is an outcome, an abort included. */
  send(call: Call<Payload>, signal: AbortSignal): Promise<Outcome>;
  /**
   * Whether the sink would accept: address, certificate, key and permission, at the least cost and,
   * where the sink has a way to ask, without anything that people would see. Never rejects.
   */
  verify(signal: AbortSignal): Promise<Verification>;
}

export interface Verification {
  /** `untested`: there is no way to ask without posting. */
  readonly state: 'ok' | 'failed' | 'untested';
  /** What was found, and for a failure what to do. */
  readonly message: string;
}

/** What every destination is made with. */
export interface DestinationContext {
  readonly clock: Clock;
  /** Resolved anew for each call, so that a rotated key is used at once. */
  readonly secrets: Secrets;
  readonly http: HttpTransport;
  /** For the clients that do not use `http`. */
  readonly connectTo: ConnectTo;
  /** This machine, as it names itself. */
  readonly host: string;
}
