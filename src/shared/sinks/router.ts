/**
 * Where each emission goes: runner → **router** → journal → deliveries. One delivery for each distinct
 * destination, however many checks name it: pool-wide ones stand, those of check files are made on
 * first use and closed when nobody has used them for a while.
 *
 * A result is in the journal before `write` returns, and so before its tick is counted as run.
 */

import type { PostSettings } from '../domain/check.ts';
import {
  type DestinationId,
  type Emission,
  isChange,
  type PostBody,
  type PostedEmission,
  type ScalingEmission,
  type SelfEmission,
} from '../domain/delivery.ts';
import type { Result, Transition } from '../domain/result.ts';
import type { SinkView, SpoolView } from '../domain/status.ts';
import { fraction } from '../rules/hash.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Limiter } from '../runtime/limiter.ts';
import type { Log } from '../runtime/log.ts';
import type { Random } from '../runtime/random.ts';
import { Delivery, type Records } from './delivery.ts';
import type { Destination, Item } from './destination.ts';
import { type Journal, openJournal } from './journal/journal.ts';
import type { Bodies } from './journal/record-text.ts';
import type { Post } from './posts.ts';
import type { Sink } from './sink.ts';
import { Unclaimed } from './unclaimed.ts';
import { addViews } from './views.ts';

export interface RouterOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** This process, in the pool: its calls have their own place in each window. */
  readonly worker: string;
  readonly poolWide: readonly Destination[];
  readonly postsOf: (posts: PostSettings) => readonly Post[];
  /** One for each delivery. */
  readonly limiter: () => Limiter;
  /** Null: what is undelivered is kept in memory, and lost with the process. */
  readonly stateFolder: string | null;
  /** How long what is undelivered is still sent on the way out. */
  readonly finishMs: number;
  readonly redact: (text: string) => string;
}

/** A destination that no check has named for this long is closed. */
const IDLE_MS = 900_000;
const SWEEP_MS = 60_000;
const MOST_ROUTES = 10_000;

interface Common {
  readonly deliveries: readonly Delivery[];
  readonly ids: readonly DestinationId[];
}

interface Rendered {
  readonly delivery: Delivery;
  readonly body: PostBody;
}

const idOf = ({ delivery }: Rendered): DestinationId => delivery.destination.id;

const bodiesOf = (posts: readonly Rendered[]): Bodies | null =>
  posts.length === 0 ? null : Object.fromEntries(posts.map((one) => [idOf(one), one.body]));

export class Router implements Sink {
  readonly #options: RouterOptions;
  readonly #journal: Journal;
  readonly #records: Records;
  readonly #poolWide: readonly Delivery[];
  readonly #deliveries = new Map<DestinationId, Delivery>();
  /** Specs are shared by checks, so few are ever compiled. */
  #posts = new WeakMap<PostSettings, readonly Post[]>();
  readonly #unclaimed: Unclaimed;
  /** State changes that the journal has written anew, by destination; told at once, as they are many. */
  readonly #moves = new Map<DestinationId, Map<number, number>>();
  readonly #commons = new Map<number, Common>();
  readonly #routes = new Map<string, readonly DestinationId[]>();
  /** Totals of what was closed: counters never go back. */
  #closed: readonly SinkView[] = [];
  #timer: Timer;

  constructor(options: RouterOptions) {
    const { clock, log, stateFolder } = options;
    this.#options = options;
    this.#journal = openJournal({
      folder: stateFolder,
      clock,
      log,
      onEvict: (_, through) => this.#evict(through),
      onMoved: (from, to, ids) => this.#note(from, to, ids),
    });
    this.#records = {
      item: ({ id }, seq) => {
        const record = this.#journal.read(seq);
        return record && { seq, emission: record.emission, body: record.bodies?.[id] ?? null };
      },
      done: ({ id }, seqs) => this.#journal.done(id, seqs),
    };
    this.#unclaimed = new Unclaimed(this.#journal.recovered(), {
      clock,
      done: (id, seqs) => this.#journal.done(id, seqs),
    });
    this.#poolWide = options.poolWide.map((destination) => this.#open(destination));
    this.#timer = clock.after(SWEEP_MS, () => this.#sweep());
  }

  get spool(): SpoolView {
    const { diskBytes, memoryBytes, damaged, isDurable } = this.#journal.state;
    const folder = this.#options.stateFolder;
    const problem = folder === null || isDurable ? null : 'it cannot be written to';
    return { folder, diskBytes, memoryBytes, damaged, problem };
  }

  /** By what they are called: destinations that share a label are added up. */
  get views(): readonly SinkView[] {
    const open = [...this.#deliveries.values()].map((delivery) => delivery.view);
    return addViews([...open, ...this.#closed, ...this.#unclaimed.views]);
  }

  write(result: Result, transition: Transition | null, posts: PostSettings | undefined): void {
    const emission: PostedEmission = { kind: 'result', result, transition };
    this.#routeSafely(emission, this.#poolWide, () => this.#render(emission, posts));
  }

  /** Watcher's own health, or that of the pool, to the pool-wide sinks. */
  report(emission: SelfEmission | ScalingEmission): void {
    this.#routeSafely(emission, this.#poolWide, () => []);
  }

  /** Watcher's own health, as a `self` block configures it. */
  post(emission: SelfEmission, posts: PostSettings): void {
    this.#routeSafely(emission, [], () => this.#render(emission, posts));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer.cancel();
    const { isDurable } = this.#journal.state;
    const deadline = new AbortController();
    const { clock, finishMs } = this.#options;
    const timer = clock.after(finishMs, () => deadline.abort());
    const deliveries = [...this.#deliveries.values()];
    await Promise.all(
      deliveries.map((one) => one.finish(deadline.signal, { backlogToo: !isDurable })),
    );
    timer.cancel();
    // A folder whose disk fails now still holds what was written before.
    if (this.#options.stateFolder === null)
      for (const delivery of deliveries) delivery.giveUp('shutdown');
    this.#journal[Symbol.dispose]();
    this.#tellLeft();
  }

  /** A defect of ours costs this one emission its way, never the check that made it. */
  #routeSafely(
    emission: Emission,
    poolWide: readonly Delivery[],
    render: () => readonly Rendered[],
  ): void {
    try {
      this.#route(emission, poolWide, render());
    } catch (err) {
      this.#options.log.error('defect of watcher: a result could not be routed', { err });
    }
  }

  #route(emission: Emission, poolWide: readonly Delivery[], posts: readonly Rendered[]): void {
    let wanted = 0;
    for (const [index, delivery] of poolWide.entries())
      if (delivery.destination.wants(emission)) wanted += 2 ** index;
    const common = this.#common(wanted);
    const to = posts.length === 0 ? common.ids : this.#same([...common.ids, ...posts.map(idOf)]);
    if (to.length === 0) return;
    const seq = this.#journal.append(emission, bodiesOf(posts), to, isChange(emission));
    if (this.#moves.size > 0) this.#move();
    if (common.deliveries.length > 0) {
      const item: Item = { seq, emission, body: null };
      for (const delivery of common.deliveries) delivery.offer(item);
    }
    for (const { delivery, body } of posts) delivery.offer({ seq, emission, body });
  }

  /** The pool-wide deliveries that want an emission, by one bit each, of which a number has
   * 53: the settings take 16 sinks. Few combinations ever occur. */
  #common(wanted: number): Common {
    let common = this.#commons.get(wanted);
    if (common === undefined) {
      const deliveries = this.#poolWide.filter(
        (_, index) => Math.floor(wanted / 2 ** index) % 2 === 1,
      );
      const ids = deliveries.map(({ destination }) => destination.id);
      common = { deliveries, ids };
      this.#commons.set(wanted, common);
    }
    return common;
  }

  /** The journal knows a list that it has seen by its being the same object. */
  #same(ids: readonly DestinationId[]): readonly DestinationId[] {
    const key = ids.join();
    const known = this.#routes.get(key);
    if (known) return known;
    if (this.#routes.size >= MOST_ROUTES) this.#routes.clear();
    this.#routes.set(key, ids);
    return ids;
  }

  #render(emission: PostedEmission, settings: PostSettings | undefined): readonly Rendered[] {
    if (settings === undefined) return [];
    return this.#postsOf(settings).flatMap(({ destination, render }) => {
      const body = render(emission);
      if (body === null) return [];
      return [{ delivery: this.#deliveries.get(destination.id) ?? this.#open(destination), body }];
    });
  }

  #postsOf(settings: PostSettings): readonly Post[] {
    let posts = this.#posts.get(settings);
    if (posts === undefined) {
      posts = this.#options.postsOf(settings);
      this.#posts.set(settings, posts);
    }
    return posts;
  }

  #open(destination: Destination): Delivery {
    const { worker, limiter } = this.#options;
    const delivery = new Delivery({
      ...this.#options,
      destination,
      records: this.#records,
      limiter: limiter(),
      phase: fraction(`${worker}:${destination.id}`),
    });
    this.#deliveries.set(destination.id, delivery);
    delivery.recover(this.#unclaimed.claim(destination.id));
    return delivery;
  }

  /** The journal must make room: it hears which state changes are still needed, and by whom. */
  #evict(through: number): ReadonlyMap<number, readonly DestinationId[]> {
    const needed = new Map<number, DestinationId[]>();
    const need = (id: DestinationId, seqs: readonly number[]): void => {
      for (const seq of seqs) needed.set(seq, [...(needed.get(seq) ?? []), id]);
    };
    for (const [id, delivery] of this.#deliveries) need(id, delivery.evict(through));
    this.#unclaimed.evict(through);
    return needed;
  }

  #note(from: number, to: number, ids: readonly DestinationId[]): void {
    for (const id of ids) {
      const moves = this.#moves.get(id) ?? new Map<number, number>();
      this.#moves.set(id, moves.set(from, to));
    }
  }

  #move(): void {
    for (const [id, moves] of this.#moves) this.#deliveries.get(id)?.moved(moves);
    this.#moves.clear();
  }

  #sweep(): void {
    const { clock } = this.#options;
    this.#timer = clock.after(SWEEP_MS, () => this.#sweep());
    this.#unclaimed.expire();
    const idleSince = clock.monotonicMs() - IDLE_MS;
    for (const delivery of this.#deliveries.values()) {
      if (this.#poolWide.includes(delivery)) continue;
      if (delivery.pending === 0 && delivery.lastUsedAt < idleSince) this.#close(delivery);
    }
  }

  #close(delivery: Delivery): void {
    this.#deliveries.delete(delivery.destination.id);
    // They hold destinations that end here.
    this.#posts = new WeakMap();
    this.#closed = addViews([...this.#closed, delivery.view]);
    void delivery.finish(AbortSignal.abort(), { backlogToo: false });
  }

  #tellLeft(): void {
    const { log, stateFolder } = this.#options;
    const { pendingInMemory } = this.#journal.state;
    if (stateFolder !== null && pendingInMemory > 0)
      log.error('results were lost: the state folder could not be written to', {
        folder: stateFolder,
        lost: pendingInMemory,
      });
    for (const { sink, pending, dropped, failing } of this.views) {
      if (pending > 0) log.warn('results are kept for the next start', { sink, pending, failing });
      if (dropped.shutdown > 0)
        log.error('results were lost: the process ended without a state folder', {
          sink,
          lost: dropped.shutdown,
          failing,
        });
    }
  }
}
