/**
 * One destination at work: router → **delivery** → destination. Decides when calls are made and what
 * follows from each; whatever the sink does, an item ends delivered, waiting, or dropped for a reason.
 *
 * A sink that comes back shows the present at once and the past within minutes: what is live goes
 * first, the backlog beside it, oldest first and at a pace of its own.
 * States: gathering (until the window ends or a call is full) → sending; after a failure open (all of
 * it waits) → half-open (one call decides) → gathering.
 */

import { type DropReason, identityOf, nothingDropped } from '../domain/delivery.ts';
import type { SinkView } from '../domain/status.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Limiter } from '../runtime/limiter.ts';
import type { Log } from '../runtime/log.ts';
import type { Random } from '../runtime/random.ts';
import type { Moves, Waiting } from './backlog.ts';
import { Breaker } from './breaker.ts';
import type { Call, Destination, FailedItem, Item, Outcome } from './destination.ts';
import { Pace } from './pace.ts';
import { isUrgent, Queue, type Recovered, renamed } from './queue.ts';

/** What a delivery asks of the journal. */
export interface Records {
  /** Null where the record is gone or damaged. */
  item(destination: Destination, seq: number): Item | null;
  /** Delivered or dropped: it will not be asked for again. */
  done(destination: Destination, seqs: readonly number[]): void;
}

export interface DeliveryOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly destination: Destination;
  readonly records: Records;
  readonly limiter: Limiter;
  /** Where in a window this process sends, from 0 to 1: a pool's workers do not all call at once. */
  readonly phase: number;
  /** Takes secrets out of what a sink has answered: some echo the key that they refuse. */
  readonly redact: (text: string) => string;
}

/** Items of the backlog in one go: reading and encoding more would hold the event loop up. */
const SLICE = 1_000;
/** Calls are cut in halves this often in a row before the sink is taken to refuse everything. */
const MOST_SPLITS = 64;

/** The limiter was stopped or would not queue any more; or a destination has a defect. */
const notSent = (error: unknown): Outcome => ({
  kind: 'retry',
  reason: `it could not be sent: ${error}`,
});

const seqOf = ({ seq }: { readonly seq: number }): number => seq;

const leftOut = (items: readonly Item[], calls: readonly Call[]): readonly Item[] => {
  const carried = new Set(calls.flatMap((call) => call.items));
  return items.filter((item) => !carried.has(item));
};

export class Delivery {
  readonly destination: Destination;
  readonly #options: DeliveryOptions;
  readonly #queue = new Queue();
  readonly #account = { produced: 0, delivered: 0, retried: 0, calls: 0 };
  readonly #dropped = nothingDropped();
  readonly #breaker: Breaker;
  readonly #pace: Pace;
  readonly #stopping = new AbortController();
  /** Items of the calls that are under way. */
  readonly #flying = new Set<readonly Item[]>();
  /** Records that were written anew while they were under way. */
  readonly #moved = new Map<number, number>();
  #splits = 0;
  /** What is gathered goes now: its window has ended, or a call is full. */
  #flushing = false;
  /** The process stops: the backlog does not wait for its pace. */
  #hurries = false;
  /** Learned from calls, to tell without encoding when one is full. */
  #bytesPerItem = 0;
  #timer: Timer | null = null;
  #wakeAt = Number.POSITIVE_INFINITY;
  /** The log has said that it fails. */
  #isTold = false;
  #lastRefusal: string | null = null;
  #onQuiet: () => void = () => {};
  /** Monotonic ms. */
  lastUsedAt: number;

  constructor(options: DeliveryOptions) {
    const { clock, random, destination } = options;
    this.destination = destination;
    this.#options = options;
    this.#breaker = new Breaker(random);
    this.lastUsedAt = clock.monotonicMs();
    this.#pace = new Pace(this.lastUsedAt);
  }

  get pending(): number {
    let flying = 0;
    for (const items of this.#flying) flying += items.length;
    return this.#queue.length + flying;
  }

  get view(): SinkView {
    const oldestAt = this.#queue.oldestAt;
    return {
      sink: this.destination.label,
      ...this.#account,
      pending: this.pending,
      dropped: { ...this.#dropped },
      lagMs: oldestAt === null ? 0 : Math.max(0, this.#options.clock.now() - oldestAt),
      failing: this.#breaker.reason,
    };
  }

  offer(item: Item): void {
    const now = this.#options.clock.monotonicMs();
    this.lastUsedAt = now;
    this.#account.produced += 1;
    this.#pace.made(now);
    if (this.#breaker.isOpen(now)) {
      this.#queue.giveBack([item]);
      if (this.#timer === null) this.#arm(now);
      return;
    }
    this.#queue.add(item);
    if (this.#isFull()) this.#flush();
    else this.#armFor(now);
  }

  /** What a former process left. */
  recover(items: readonly Recovered[]): void {
    this.#account.produced += items.length;
    this.#queue.addRecovered(items);
    this.#pump();
  }

  /** The journal is full: repeats through `seq` are given up; the state changes among them are told. */
  evict(seq: number): readonly number[] {
    const { repeats, changes } = this.#queue.evict(seq);
    this.#drop(repeats, 'overflow');
    const flying = [...this.#flying].flat().filter((item) => item.seq <= seq && isUrgent(item));
    return [...changes, ...flying.map(seqOf)];
  }

  moved(to: Moves): void {
    this.#queue.moved(to);
    if (this.#flying.size > 0) for (const [before, after] of to) this.#moved.set(before, after);
  }

  /** Sends what can be sent before `signal` aborts; what is left stays pending. */
  async finish(signal: AbortSignal, { backlogToo }: { readonly backlogToo: boolean }) {
    const stop = () => this.#stopping.abort(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    this.#hurries = backlogToo;
    await new Promise<void>((resolve) => {
      this.#onQuiet = resolve;
      this.#flush();
      this.#tellQuiet();
      signal.addEventListener('abort', () => this.#tellQuiet(), { once: true });
    });
    this.#stopping.abort();
    this.#timer?.cancel();
    this.#options.limiter.stop();
    await this.destination[Symbol.asyncDispose]();
  }

  /** What is left after the end is lost. */
  giveUp(reason: DropReason): void {
    this.#drop(this.#queue.takeAll(), reason);
  }

  #isFull(): boolean {
    const { maxItems, maxCallBytes } = this.destination;
    const items = this.#queue.gathered;
    return items >= maxItems || items * this.#bytesPerItem >= maxCallBytes;
  }

  #flush(): void {
    this.#flushing = true;
    this.#pump();
  }

  /** Starts calls for as long as there are items that may go and places for calls. */
  #pump(): void {
    const { clock } = this.#options;
    const now = clock.monotonicMs();
    this.#drop(this.#queue.takeOlder(clock.now() - this.destination.maxAgeMs), 'window');
    while (this.#mayCall(now)) {
      const items = this.#next(now);
      if (items.length === 0) break;
      this.#start(items);
    }
    if (this.#flushing && this.#breaker.isOpen(now)) this.#queue.demote();
    if (this.#queue.gathered === 0) this.#flushing = false;
    this.#arm(now);
  }

  #mayCall(now: number): boolean {
    if (this.#breaker.isOpen(now) || this.#stopping.signal.aborted) return false;
    return this.#freePlaces > 0;
  }

  /** What goes next, at most as much as the free places can take. */
  #next(now: number): readonly Item[] {
    const half = this.#queue.takeHalf();
    if (half) return half;
    const most = this.#mostItems();
    const changes = this.#read(this.#queue.takeWaitingChanges(Math.min(most, SLICE)));
    const gathered = this.#flushing ? this.#queue.takeGathered(most - changes.length) : [];
    if (changes.length + gathered.length > 0) return [...changes, ...gathered];
    return this.#read(this.#queue.takeWaitingRepeats(this.#allowance(now)));
  }

  #mostItems(): number {
    const { maxItems } = this.destination;
    return this.#breaker.isClosed ? maxItems * this.#freePlaces : Math.min(maxItems, SLICE);
  }

  /** Of the backlog: nothing until a whole slice may go, so that its calls are as full as can be. */
  #allowance(now: number): number {
    const slice = this.#slice();
    if (this.#hurries || !this.#breaker.isClosed) return slice;
    if (this.#pace.allowance(now, slice) < slice) return 0;
    this.#pace.spend(slice);
    return slice;
  }

  #slice(): number {
    return Math.min(SLICE, this.#mostItems(), this.#queue.waitingRepeats);
  }

  #read(waiting: readonly Waiting[]): readonly Item[] {
    const { records } = this.#options;
    return waiting.flatMap((one) => {
      const item = records.item(this.destination, one.seq);
      if (item) return [item];
      this.#drop([one], 'unreadable');
      return [];
    });
  }

  #start(items: readonly Item[]): void {
    const calls = this.#encode(items);
    if (calls === null) return;
    const carried = calls.reduce((sum, call) => sum + call.items.length, 0);
    if (carried < items.length)
      this.#refuse(leftOut(items, calls), 'size', 'it is too large alone');
    const bytes = calls.reduce((sum, call) => sum + call.bytes, 0);
    if (carried > 0) this.#bytesPerItem = bytes / carried;
    const isOneOnly = !this.#breaker.isClosed;
    const free = this.#freePlaces;
    for (const [index, call] of calls.entries()) {
      // While one call decides, the others wait for what comes of it.
      if (isOneOnly && index > 0) this.#queue.giveBack(call.items);
      else void this.#call(call, index < free);
    }
  }

  /** A defect of ours in one item must not cost the others: halving finds it. */
  #encode(items: readonly Item[]): readonly Call[] | null {
    try {
      return this.destination.encode(items);
    } catch (error) {
      const reason = `it could not be encoded: ${error}`;
      this.#split(items, { kind: 'split', reason, drop: 'refused' });
      return null;
    }
  }

  get #freePlaces(): number {
    const places = this.#breaker.isClosed ? this.destination.concurrency : 1;
    return Math.max(0, places - this.#flying.size);
  }

  /** The limiter is for items that became more calls than there are places: it costs 0.3 ms a call. */
  async #call(call: Call, hasPlace: boolean): Promise<void> {
    const { limiter } = this.#options;
    this.#flying.add(call.items);
    const send = async (): Promise<Outcome> => {
      this.#account.calls += 1;
      return this.destination.send(call, this.#stopping.signal);
    };
    const outcome = await (hasPlace ? send() : limiter.run(send)).catch(notSent);
    this.#flying.delete(call.items);
    this.#settle(this.#known(call.items), outcome);
    if (this.#flying.size === 0) this.#moved.clear();
    this.#pump();
    this.#tellQuiet();
  }

  /** Under the seqs that their records have by now. */
  #known(items: readonly Item[]): readonly Item[] {
    return this.#moved.size === 0 ? items : items.map((item) => renamed(item, this.#moved));
  }

  #settle(items: readonly Item[], outcome: Outcome): void {
    switch (outcome.kind) {
      case 'delivered':
        return this.#succeed(items);
      case 'partial':
        return this.#succeedPartly(items, outcome.failed);
      case 'split':
        return this.#split(items, outcome);
      case 'retry':
        return this.#fail(items, outcome);
      case 'denied':
        return this.#fail(items, outcome);
    }
  }

  #succeed(items: readonly Item[]): void {
    const { log, records } = this.#options;
    if (this.#isTold) log.info('a sink takes results again', { sink: this.destination.label });
    this.#isTold = false;
    this.#breaker.succeed();
    this.#splits = 0;
    this.#account.delivered += items.length;
    records.done(this.destination, items.map(seqOf));
  }

  #succeedPartly(items: readonly Item[], failed: readonly FailedItem[]): void {
    const indexes = new Set(failed.map(({ index }) => index));
    this.#succeed(items.filter((_, index) => !indexes.has(index)));
    const of = (one: FailedItem): readonly Item[] => items.slice(one.index, one.index + 1);
    for (const one of failed) if (!one.retry) this.#refuse(of(one), 'refused', one.reason);
    const again = failed.filter(({ retry }) => retry);
    const [first] = again;
    if (first) this.#fail(again.flatMap(of), { kind: 'retry', reason: first.reason });
  }

  #split(items: readonly Item[], { reason, drop }: Extract<Outcome, { kind: 'split' }>): void {
    if (items.length === 1) return this.#refuse(items, drop, reason);
    this.#splits += 1;
    if (this.#splits > MOST_SPLITS) {
      this.#splits = 0;
      return this.#fail(items, { kind: 'denied', reason });
    }
    const middle = Math.ceil(items.length / 2);
    this.#queue.addHalf(items.slice(middle));
    this.#queue.addHalf(items.slice(0, middle));
  }

  #fail(items: readonly Item[], outcome: Extract<Outcome, { kind: 'retry' | 'denied' }>): void {
    const { clock, log, redact } = this.#options;
    const { kind } = outcome;
    const reason = redact(outcome.reason);
    // One failure is nothing: kept connections are closed by sinks just as we use them.
    if (!this.#isTold && (kind === 'denied' || !this.#breaker.isClosed)) {
      this.#isTold = true;
      const sink = this.destination.label;
      log.warn('a sink does not take results: they wait', { sink, reason });
    }
    const afterMs = kind === 'retry' ? (outcome.afterMs ?? 0) : 0;
    this.#breaker.fail(kind, reason, { now: clock.monotonicMs(), afterMs });
    this.#account.retried += items.length;
    this.#queue.giveBack(items);
  }

  /** The sink will never take these very items. Said when the reason is new: a spec repeats it. */
  #refuse(items: readonly Item[], drop: DropReason, why: string): void {
    const [first] = items;
    const reason = this.#options.redact(why);
    if (first && this.#lastRefusal !== reason)
      this.#options.log.warn('a sink refused a result for good', {
        sink: this.destination.label,
        reason,
        first: identityOf(first.emission),
      });
    this.#lastRefusal = reason;
    this.#drop(items, drop);
  }

  #drop(items: readonly { readonly seq: number }[], reason: DropReason): void {
    if (items.length === 0) return;
    this.#dropped[reason] += items.length;
    this.#options.records.done(this.destination, items.map(seqOf));
  }

  /** The usual case: something was gathered, and the timer stands already. */
  #armFor(now: number): void {
    if (this.#timer === null || this.#queue.gathered === 1) this.#arm(now);
  }

  #arm(now: number): void {
    const wakeAt = this.#stopping.signal.aborted ? Number.POSITIVE_INFINITY : this.#nextWake(now);
    if (this.#timer !== null && this.#wakeAt === wakeAt) return;
    this.#timer?.cancel();
    this.#timer = null;
    this.#wakeAt = wakeAt;
    if (wakeAt === Number.POSITIVE_INFINITY) return;
    this.#timer = this.#options.clock.after(wakeAt - now, () => {
      this.#timer = null;
      this.#flush();
    });
  }

  /** Infinity when the end of a call, or an offer, is what comes next. */
  #nextWake(now: number): number {
    const { gathered, waiting } = this.#queue;
    if (this.#queue.length === 0) return Number.POSITIVE_INFINITY;
    const window =
      gathered > 0 && !this.#flushing ? this.#windowEnd(now) : Number.POSITIVE_INFINITY;
    if (this.#breaker.isOpen(now)) return Math.min(window, this.#breaker.openUntil);
    if (waiting === 0 || !this.#mayCall(now)) return window;
    return Math.min(window, now + Math.max(1, this.#pace.waitMs(this.#slice())));
  }

  /** The same phase of every window, so that no minute has a window more than it must. */
  #windowEnd(now: number): number {
    const { clock, phase } = this.#options;
    const { windowMs } = this.destination;
    const into = (clock.now() - phase * windowMs) % windowMs;
    return now + windowMs - into;
  }

  #tellQuiet(): void {
    const isStuck =
      this.#stopping.signal.aborted || this.#breaker.isOpen(this.#options.clock.monotonicMs());
    const left = this.#hurries
      ? this.#queue.length
      : this.#queue.length - this.#queue.waitingRepeats;
    if (this.#flying.size === 0 && (isStuck || left === 0)) this.#onQuiet();
  }
}
