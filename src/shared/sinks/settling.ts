/**
 * What follows from a call: delivery → **settling** → queue, breaker, journal, log. Items that a sink has
 * taken are done; those of a call that failed wait again; those that it will never take are found by halving,
 * and dropped for a reason. It keeps the account of all of them.
 */

import { type DropReason, identityOf, nothingDropped } from '../domain/delivery.ts';
import type { SinkView } from '../domain/status.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import type { Breaker } from './breaker.ts';
import type { Records } from './delivery.ts';
import type { Destination, FailedItem, Item, Outcome } from './destination.ts';
import type { Queue } from './queue.ts';

export interface SettlingOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly destination: Destination;
  readonly records: Pick<Records, 'done'>;
  readonly queue: Queue;
  readonly breaker: Breaker;
  /** Takes secrets out of what a sink has answered: some echo the key that they refuse. */
  readonly redact: (text: string) => string;
}

/** Calls are cut in halves this often in a row before the sink is taken to refuse everything. */
const MOST_SPLITS = 64;

export const seqOf = ({ seq }: { readonly seq: number }): number => seq;

export class Settling {
  readonly #options: SettlingOptions;
  readonly #dropped = nothingDropped();
  #delivered = 0;
  #retried = 0;
  #splits = 0;
  /** The log has said that it fails. */
  #isTold = false;
  #lastRefusal: string | null = null;

  constructor(options: SettlingOptions) {
    this.#options = options;
  }

  get account(): Pick<SinkView, 'delivered' | 'retried' | 'dropped'> {
    return {
      delivered: this.#delivered,
      retried: this.#retried,
      dropped: { ...this.#dropped },
    };
  }

  settle(items: readonly Item[], outcome: Outcome): void {
    switch (outcome.kind) {
      case 'delivered':
        return this.#succeed(items);
      case 'partial':
        return this.#succeedPartly(items, outcome.failed);
      case 'split':
        return this.split(items, outcome);
      case 'retry':
        return this.#fail(items, outcome);
      case 'denied':
        return this.#fail(items, outcome);
    }
  }

  split(items: readonly Item[], { reason, drop }: Extract<Outcome, { kind: 'split' }>): void {
    if (items.length === 1) return this.refuse(items, drop, reason);
    this.#splits += 1;
    if (this.#splits > MOST_SPLITS) {
      this.#splits = 0;
      return this.#fail(items, { kind: 'denied', reason });
    }
    const { queue } = this.#options;
    const middle = Math.ceil(items.length / 2);
    queue.addHalf(items.slice(middle));
    queue.addHalf(items.slice(0, middle));
  }

  /** The sink will never take these very items. Said when the reason is new: a spec repeats it. */
  refuse(items: readonly Item[], drop: DropReason, why: string): void {
    const { log, redact, destination } = this.#options;
    const [first] = items;
    const reason = redact(why);
    if (first && this.#lastRefusal !== reason)
      log.warn('a sink refused a result for good', {
        sink: destination.label,
        reason,
        first: identityOf(first.emission),
      });
    this.#lastRefusal = reason;
    this.drop(items, drop);
  }

  drop(items: readonly { readonly seq: number }[], reason: DropReason): void {
    if (items.length === 0) return;
    const { records, destination } = this.#options;
    this.#dropped[reason] += items.length;
    records.done(destination, items.map(seqOf));
  }

  #succeed(items: readonly Item[]): void {
    const { log, records, destination, breaker } = this.#options;
    if (this.#isTold) log.info('a sink takes results again', { sink: destination.label });
    this.#isTold = false;
    breaker.succeed();
    this.#splits = 0;
    this.#delivered += items.length;
    records.done(destination, items.map(seqOf));
  }

  #succeedPartly(items: readonly Item[], failed: readonly FailedItem[]): void {
    const indexes = new Set(failed.map(({ index }) => index));
    this.#succeed(items.filter((_, index) => !indexes.has(index)));
    const of = (one: FailedItem): readonly Item[] => items.slice(one.index, one.index + 1);
    for (const one of failed) if (!one.retry) this.refuse(of(one), 'refused', one.reason);
    const again = failed.filter(({ retry }) => retry);
    const [first] = again;
    if (first) this.#fail(again.flatMap(of), { kind: 'retry', reason: first.reason });
  }

  #fail(items: readonly Item[], outcome: Extract<Outcome, { kind: 'retry' | 'denied' }>): void {
    const { clock, log, redact, destination, breaker, queue } = this.#options;
    const { kind } = outcome;
    const reason = redact(outcome.reason);
    // One failure is nothing: kept connections are closed by sinks just as we use them.
    if (!this.#isTold && (kind === 'denied' || !breaker.isClosed)) {
      this.#isTold = true;
      log.warn('a sink does not take results: they wait', { sink: destination.label, reason });
    }
    const afterMs = kind === 'retry' ? (outcome.afterMs ?? 0) : 0;
    breaker.fail(kind, reason, { now: clock.monotonicMs(), afterMs });
    this.#retried += items.length;
    queue.giveBack(items);
  }
}
