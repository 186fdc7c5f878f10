/**
 * One destination at work: router → **delivery** → destination, settling. Decides when calls are made;
 * whatever the sink does, an item ends delivered, waiting, or dropped for a reason.
 *
 * A sink that comes back shows the present at once and the past within minutes: what is live goes
 * first, the backlog beside it, oldest first and at a pace of its own.
 * States: gathering (until the window ends or a call is full) → sending; after a failure open (all of
 * it waits) → half-open (one call decides) → gathering.
 */

import { type DropReason, isPrompt } from '../domain/delivery.ts';
import type { SinkView } from '../domain/status.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Limiter } from '../runtime/limiter.ts';
import type { Log } from '../runtime/log.ts';
import type { Random } from '../runtime/random.ts';
import type { Moves, Waiting } from './backlog.ts';
import { Breaker } from './breaker.ts';
import type { Call, Destination, Item, Outcome } from './destination.ts';
import { Pace } from './pace.ts';
import { isUrgent, Queue, type Recovered, renamed } from './queue.ts';
import { Settling, seqOf } from './settling.ts';

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

/** The limiter was stopped or would not queue any more; or a destination has a defect. */
const notSent = (error: unknown): Outcome => ({
  kind: 'retry',
  reason: `it could not be sent: ${error}`,
});

const leftOut = (items: readonly Item[], calls: readonly Call[]): readonly Item[] => {
  const carried = new Set(calls.flatMap((call) => call.items));
  return items.filter((item) => !carried.has(item));
};

export class Delivery {
  readonly destination: Destination;
  readonly #options: DeliveryOptions;
  readonly #queue = new Queue();
  readonly #breaker: Breaker;
  readonly #settling: Settling;
  readonly #pace: Pace;
  readonly #stopping = new AbortController();
  /** Items of the calls that are under way. */
  readonly #flying = new Set<readonly Item[]>();
  /** Records that were written anew while they were under way. */
  readonly #moved = new Map<number, number>();
  #produced = 0;
  #calls = 0;
  /** What is gathered goes now: its window has ended, or a call is full. */
  #flushing = false;
  /** The process stops: the backlog does not wait for its pace. */
  #hurries = false;
  /** Learned from calls, to tell without encoding when one is full. */
  #bytesPerItem = 0;
  #timer: Timer | null = null;
  #wakeAt = Number.POSITIVE_INFINITY;
  #onQuiet: () => void = () => {};
  /** Monotonic ms. */
  lastUsedAt: number;

  constructor(options: DeliveryOptions) {
    const { clock, random, destination } = options;
    this.destination = destination;
    this.#options = options;
    this.#breaker = new Breaker(random);
    this.#settling = new Settling({ ...options, queue: this.#queue, breaker: this.#breaker });
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
      produced: this.#produced,
      calls: this.#calls,
      ...this.#settling.account,
      pending: this.pending,
      lagMs: oldestAt === null ? 0 : Math.max(0, this.#options.clock.now() - oldestAt),
      failing: this.#breaker.reason,
    };
  }

  offer(item: Item): void {
    const now = this.#options.clock.monotonicMs();
    this.lastUsedAt = now;
    this.#produced += 1;
    this.#pace.made(now);
    if (this.#breaker.isOpen(now)) {
      this.#queue.giveBack([item]);
      if (this.#timer === null) this.#arm(now);
      return;
    }
    this.#queue.add(item);
    if (this.#isFull() || isPrompt(item.emission)) this.#flush();
    else this.#armFor(now);
  }

  /** What a former process left. */
  recover(items: readonly Recovered[]): void {
    this.#produced += items.length;
    this.#queue.addRecovered(items);
    this.#pump();
  }

  /** The journal is full: repeats through `seq` are given up; the state changes among them are told. */
  evict(seq: number): readonly number[] {
    const { repeats, changes } = this.#queue.evict(seq);
    this.#settling.drop(repeats, 'overflow');
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
    this.#settling.drop(this.#queue.takeAll(), reason);
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
    this.#settling.drop(this.#queue.takeOlder(clock.now() - this.destination.maxAgeMs), 'window');
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
      this.#settling.drop([one], 'unreadable');
      return [];
    });
  }

  #start(items: readonly Item[]): void {
    const calls = this.#encode(items);
    if (calls === null) return;
    const carried = calls.reduce((sum, call) => sum + call.items.length, 0);
    if (carried < items.length)
      this.#settling.refuse(leftOut(items, calls), 'size', 'it is too large alone');
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
      this.#settling.split(items, { kind: 'split', reason, drop: 'refused' });
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
      this.#calls += 1;
      return this.destination.send(call, this.#stopping.signal);
    };
    const outcome = await (hasPlace ? send() : limiter.run(send)).catch(notSent);
    this.#flying.delete(call.items);
    this.#settling.settle(this.#known(call.items), outcome);
    if (this.#flying.size === 0) this.#moved.clear();
    this.#pump();
    this.#tellQuiet();
  }

  /** Under the seqs that their records have by now. */
  #known(items: readonly Item[]): readonly Item[] {
    return this.#moved.size === 0 ? items : items.map((item) => renamed(item, this.#moved));
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
