/**
 * The store in memory and the store in etcd, side by side: the same steps at random, and every answer
 * and every change told compared. Tests of the protocol believe the one in memory; this is why they may.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import {
  type KeyValueStore,
  LIMITS,
  OPERATION_BYTES,
  type Operation,
  type Revision,
} from '../../src/shared/coordination/kv.ts';
import { openEtcdStore } from '../../src/shared/coordination/kv-etcd.ts';
import { MemoryStore } from '../../src/shared/coordination/kv-memory.ts';
import { WatcherError } from '../../src/shared/domain/errors.ts';
import { systemClock } from '../../src/shared/runtime/clock.ts';
import type { Random } from '../../src/shared/runtime/random.ts';
import type { Etcd } from '../support/etcd.ts';
import { ManualClock, settled } from '../support/manual-clock.ts';
import { seededRandom } from '../support/seeded-random.ts';
import {
  allStand,
  commitOn,
  compact,
  end,
  grant,
  many,
  type Plan,
  pass,
  renew,
  revoke,
  SHORT_TTL_MS,
  type Side,
  type Step,
  seenEntry,
  stopWatch,
  text,
  touch,
  watchOn,
} from './differential-steps.ts';

export interface DifferentialOutcome {
  readonly sequences: number;
  readonly steps: number;
  readonly changesTold: number;
  /** One for each sequence that differs: its seed, its steps, and the two answers. */
  readonly mismatches: readonly string[];
}

const KEYS = ['a', 'a/1', 'a/2', 'ab', 'b', 'b/1'];
const PREFIXES = ['', 'a', 'a/', 'b'];
/** Revisions; a watch may begin in the future. */
const MOST_AHEAD = 2;
const LONG_TTL_MS = 60_000;
const FILLER_BYTES = 1.4 * 1024 * 1024;
/** Three fillers are more than it keeps, and two are not; the rest of a sequence is less than one. */
const HISTORY = { changes: 1e6, bytes: 2.9 * FILLER_BYTES };

/** The first `slow` sequences let leases run out, which takes seconds. */
export const compareStores = async (
  etcd: Etcd,
  options: { readonly sequences: number; readonly slow: number; readonly seed: number },
): Promise<DifferentialOutcome> => {
  const mismatches: string[] = [];
  let [steps, changesTold] = [0, 0];
  await using store = await openEtcdStore({
    endpoints: etcd.endpoints,
    clock: systemClock,
    random: seededRandom(options.seed),
    timing: { callMs: 10_000, readMs: 10_000 },
  });
  for (let i = 0; i < options.sequences; i += 1) {
    const seed = options.seed + i;
    const sequence = new Sequence(seededRandom(seed), i < options.slow);
    const difference = await sequence.run(memorySide(seed), await etcdSide(store, etcd, seed));
    if (difference !== null)
      mismatches.push(`seed ${seed}: ${sequence.names.join('; ')}: ${difference}`);
    steps += sequence.names.length;
    changesTold += sequence.changesTold;
  }
  return { sequences: options.sequences, steps, changesTold, mismatches };
};

const filler = (bytes: number): Operation => ({
  kind: 'put',
  key: '/filler',
  value: Buffer.alloc(bytes),
});

const prefixOf = (seed: number): string => `/d${seed}/`;

const memorySide = (seed: number): Side => {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock, history: HISTORY });
  const compact = async () => {
    for (let i = 0; i < 3; i += 1) await store.commit([], [filler(FILLER_BYTES)]);
  };
  const pass = (ms: number) => clock.advance(ms);
  return { store, prefix: prefixOf(seed), base: 1, leases: [], watches: [], compact, pass };
};

const etcdSide = async (store: KeyValueStore, etcd: Etcd, seed: number): Promise<Side> => {
  const prefix = prefixOf(seed);
  const compact = async () => {
    await store.commit([], [filler(1)]);
    const { revision } = await store.commit([], [filler(1)]);
    await store.commit([], [filler(1)]);
    await etcd.members[0].post('kv/compaction', { revision: `${revision}` });
  };
  const { revision: base } = await store.snapshot(prefix);
  return { store, prefix, base, leases: [], watches: [], compact, pass: (ms) => sleep(ms) };
};

/** The answer, or the code of the error that it throws. */
const answered = async (step: Step, side: Side): Promise<unknown> => {
  try {
    return await step.on(side);
  } catch (error) {
    if (error instanceof WatcherError) return error.code;
    throw error;
  }
};

class Sequence {
  readonly names: string[] = [];
  changesTold = 0;
  readonly #random: Random;
  readonly #isSlow: boolean;
  /** Distances from the base: the present one, and one for each key that has been seen to be there. */
  #now = 0;
  readonly #known = new Map<string, Revision>();
  #granted = 0;
  readonly #mayCompact: boolean;
  /** As long as may be: two, if it never compacts, is what the memory's history has room for. */
  #longRequests = 0;

  constructor(random: Random, isSlow: boolean) {
    this.#random = random;
    this.#isSlow = isSlow;
    this.#mayCompact = random.next() < 0.7;
  }

  /** Null when both did the same. */
  async run(memory: Side, etcd: Side): Promise<string | null> {
    try {
      const length = 8 + this.#upTo(17);
      for (let i = 0; i < length; i += 1) {
        const difference = await this.#take(this.#anyStep(), memory, etcd);
        if (difference !== null) return difference;
      }
      return (await this.#take(allStand, memory, etcd)) ?? (await this.#sameTold(memory, etcd));
    } finally {
      for (const side of [memory, etcd]) await end(side);
      await memory.store[Symbol.asyncDispose]();
    }
  }

  async #take(step: Step, memory: Side, etcd: Side): Promise<string | null> {
    this.names.push(step.name);
    if (step.isAfterAllIsTold) {
      const difference = await this.#sameTold(memory, etcd);
      if (difference !== null) return difference;
    }
    const [first, second] = [await answered(step, memory), await answered(step, etcd)];
    await settled();
    const { entries, revision } = await memory.store.snapshot(memory.prefix);
    this.#now = revision - memory.base;
    this.#known.clear();
    for (const { key, modRevision } of entries)
      this.#known.set(key.slice(memory.prefix.length), modRevision - memory.base);
    return isDeepStrictEqual(first, second) ? null : `memory ${text(first)}, etcd ${text(second)}`;
  }

  /** Writes something for each watch to tell, and compares when all is told. */
  async #sameTold(memory: Side, etcd: Side): Promise<string | null> {
    if (memory.watches.length === 0) return null;
    for (let i = 0; i <= MOST_AHEAD; i += 1) {
      const difference = await this.#take(touch, memory, etcd);
      if (difference !== null) return difference;
    }
    const told = (side: Side) => side.watches.map((watch) => watch.told);
    const count = (side: Side) => told(side).flat().length;
    for (let i = 0; i < 300 && count(etcd) < count(memory); i += 1) await sleep(10);
    this.changesTold = count(memory);
    return isDeepStrictEqual(told(memory), told(etcd))
      ? null
      : `told by memory ${text(told(memory))}, by etcd ${text(told(etcd))}`;
  }

  #upTo(most: number): number {
    return Math.floor(this.#random.next() * (most + 1));
  }

  #of<T>(choices: readonly T[]): T {
    return choices[this.#upTo(choices.length - 1)] as T;
  }

  #anyStep(): Step {
    const chance = this.#random.next();
    if (chance < 0.5) return this.#commit();
    if (chance < 0.58) return this.#changes();
    if (chance < 0.7) return this.#watch();
    if (chance < 0.86) return this.#lease();
    if (chance < 0.88) return stopWatch(this.#upTo(2));
    if (chance < 0.91) return this.#mayCompact ? compact : allStand;
    if (chance < 0.93) return this.#limits();
    return this.#isSlow ? pass(SHORT_TTL_MS + 1500) : allStand;
  }

  #lease(): Step {
    if (this.#granted === 0 || this.#random.next() < 0.3) {
      this.#granted += 1;
      return grant(this.#isSlow ? SHORT_TTL_MS : LONG_TTL_MS);
    }
    const which = this.#upTo(this.#granted - 1);
    return this.#random.next() < 0.4 ? renew(which) : revoke(which);
  }

  #commit(): Step {
    const when = Array.from({ length: this.#upTo(2) }, () => {
      const key = this.#of(KEYS);
      const known = this.#known.get(key) ?? 0;
      return [key, this.#of([known, known, known, known, 0, this.#upTo(this.#now + 1)])] as const;
    });
    const operations = Array.from({ length: this.#upTo(4) }, () => this.#operation());
    const otherwise = Array.from({ length: this.#upTo(2) }, () => this.#read());
    const name = `commit ${text(when)} ? ${text(operations)} : ${text(otherwise)}`;
    return { name, on: (side) => commitOn(side, when, { operations, otherwise }) };
  }

  #operation(): Plan {
    const chance = this.#random.next();
    if (chance < 0.3) return this.#read();
    if (chance < 0.5) return { kind: 'delete', key: this.#of(KEYS) };
    const isLeased = this.#granted > 0 && this.#random.next() < 0.5;
    const lease = isLeased ? this.#upTo(this.#granted - 1) : null;
    return { kind: 'put', key: this.#of(KEYS), value: `${this.#upTo(99)}`, lease };
  }

  #read(): Plan {
    return this.#random.next() < 0.5
      ? { kind: 'get', key: this.#of(KEYS) }
      : { kind: 'list', key: this.#of(PREFIXES) };
  }

  #changes(): Step {
    const [prefix, since] = [this.#of(PREFIXES), this.#upTo(this.#now + 1)];
    return {
      name: `changes of '${prefix}' since ${since}`,
      on: async (side) => {
        const { store } = side;
        const found = await store.changes(side.prefix + prefix, side.base + since);
        const changed = found.changed.map((entry) => seenEntry(side, entry));
        return [changed, found.total, found.revision - side.base];
      },
    };
  }

  #watch(): Step {
    const prefix = this.#of(PREFIXES);
    const after = this.#random.next() < 0.5 ? this.#now : this.#upTo(this.#now + MOST_AHEAD);
    return {
      name: `watch '${prefix}' after ${after}`,
      on: async (side) => {
        side.watches.push(watchOn(side, prefix, after));
      },
    };
  }

  /** At a bound of LIMITS, or one past it. */
  #limits(): Step {
    const past = this.#upTo(1);
    const count = LIMITS.operations + past;
    if (this.#mayCompact || this.#longRequests === 2)
      return {
        name: `${count} operations`,
        on: (side) => commitOn(side, [], { operations: many(count) }),
      };
    this.#longRequests += 1;
    return {
      name: `a request ${past} past the bytes`,
      on: (side) => {
        const bytes = LIMITS.requestBytes + past - OPERATION_BYTES - `${side.prefix}a`.length;
        const put: Plan = { kind: 'put', key: 'a', value: 'x'.repeat(bytes), lease: null };
        return commitOn(side, [], { operations: [put] });
      },
    };
  }
}
