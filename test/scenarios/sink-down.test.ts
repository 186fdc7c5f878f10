import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DestinationId } from '../../src/shared/domain/delivery.ts';
import { silentLog } from '../../src/shared/runtime/log.ts';
import type { Item, Outcome } from '../../src/shared/sinks/destination.ts';
import { Router } from '../../src/shared/sinks/router.ts';
import { aResult, TICK } from '../support/builders.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { noLimit, ScriptedSink } from '../support/scripted-sink.ts';
import { seededRandom } from '../support/seeded-random.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** A run of each of 2,000 checks a minute, as they come: 33 a second. */
const PER_SECOND = 33;

/** A vendor: takes what is young enough, and remembers what arrived how old. */
class Vendor extends ScriptedSink {
  override readonly id: DestinationId;
  override readonly label: string;
  readonly arrived = new Map<string, number>();
  readonly clock: ManualClock;
  tooOld = 0;
  isUp = true;
  #items = new Map<number, Item>();

  constructor(clock: ManualClock, label: string, set: Partial<ScriptedSink>) {
    super(clock);
    this.clock = clock;
    this.id = label as DestinationId;
    this.label = label;
    Object.assign(this, set);
    this.answer = (seqs): Outcome => {
      if (!this.isUp) return { kind: 'retry', reason: 'connection refused' };
      for (const seq of seqs) this.#take(seq);
      return { kind: 'delivered' };
    };
  }

  override encode(items: readonly Item[]) {
    for (const item of items) this.#items.set(item.seq, item);
    return super.encode(items);
  }

  #take(seq: number): void {
    const item = this.#items.get(seq);
    if (item?.emission.kind !== 'result') return;
    const { check, tick } = item.emission.result;
    const age = this.clock.now() - tick;
    if (age > this.maxAgeMs) this.tooOld += 1;
    this.arrived.set(`${check}@${tick}`, age);
    this.#items.delete(seq);
  }
}

const run = async (stateFolder: string | null, downMs: number, perSecond = PER_SECOND) => {
  const clock = new ManualClock(TICK);
  const series = new Vendor(clock, 'series', { maxAgeMs: HOUR, maxItems: 2_000 });
  const events = new Vendor(clock, 'events', { windowMs: 250, maxAgeMs: 18 * HOUR, maxItems: 1 });
  events.wants = (emission) => emission.kind === 'result' && emission.transition !== null;
  const other = new Vendor(clock, 'other', { windowMs: MINUTE, maxAgeMs: 336 * HOUR });
  const router = new Router({
    clock,
    random: seededRandom(7),
    log: silentLog,
    worker: 'w1',
    poolWide: [series, events, other],
    postsOf: () => [],
    limiter: () => noLimit,
    stateFolder,
    finishMs: 10_000,
    redact: (text) => text,
  });
  const ticks: { readonly name: string; readonly at: number; readonly isChange: boolean }[] = [];
  let n = 0;
  const seconds = async (count: number): Promise<void> => {
    for (let second = 0; second < count; second++) {
      for (let run = 0; run < perSecond; run++) {
        const [check, tick] = [`check-${n % 2_000}/health`, clock.now()];
        const isChange = n % 500 === 0;
        const change = { from: 'ok', to: 'critical', at: tick, reason: 'why' } as const;
        router.write(aResult({ check, tick }), isChange ? change : null, undefined);
        ticks.push({ name: `${check}@${tick}`, at: tick, isChange });
        n += 1;
      }
      await clock.advance(1_000);
    }
  };
  await seconds(60);
  series.isUp = false;
  events.isUp = false;
  let worstOther = 0;
  let bytes = 0;
  for (let minute = 0; minute < downMs / MINUTE; minute++) {
    await seconds(60);
    for (const age of other.arrived.values()) worstOther = Math.max(worstOther, age);
    const { diskBytes, memoryBytes } = router.spool;
    bytes = Math.max(bytes, stateFolder === null ? memoryBytes : diskBytes);
  }
  series.isUp = true;
  events.isUp = true;
  const backAt = clock.now();
  await seconds(12 * 60);
  // What is still gathered has not had its window yet.
  const settled = ticks.filter(({ at }) => at < clock.now() - 2 * MINUTE);
  const missing = (vendor: Vendor, which = settled) =>
    which.filter(({ name }) => !vendor.arrived.has(name)).length;
  const ages = settled
    .filter(({ at }) => at > backAt + MINUTE)
    .map(({ name }) => series.arrived.get(name) ?? Number.POSITIVE_INFINITY);
  const views = new Map(router.views.map((view) => [view.sink, view]));
  const unbalanced = router.views.filter(
    ({ produced, delivered, pending, dropped }) =>
      produced !== delivered + pending + Object.values(dropped).reduce((a, b) => a + b, 0),
  );
  await clock.until(router[Symbol.asyncDispose]());
  return {
    ...{ series, events, other, views, missing, bytes, worstOther, unbalanced },
    changes: settled.filter(({ isChange }) => isChange),
    oldestLive: ages.reduce((oldest, age) => Math.max(oldest, age), 0),
  };
};

describe('a sink that is down', () => {
  it('for fifty minutes loses nothing, and holds nobody else up', async () => {
    await using folder = await mkdtempDisposable(path.join(tmpdir(), 'sink-down-'));
    const { series, events, other, missing, changes, ...seen } = await run(
      folder.path,
      50 * MINUTE,
    );
    expect([missing(series), missing(other), missing(events, changes)]).toEqual([0, 0, 0]);
    expect([series.tooOld, seen.unbalanced]).toEqual([0, []]);
    expect(seen.worstOther).toBeLessThanOrEqual(2 * MINUTE);
    expect(seen.oldestLive).toBeLessThanOrEqual(20_000);
    expect(seen.bytes).toBeLessThan(256 * 1024 * 1024);
  });

  it('for an hour loses what is older than an hour when it is back, and nothing else', async () => {
    await using folder = await mkdtempDisposable(path.join(tmpdir(), 'sink-down-'));
    const { series, other, views, missing } = await run(folder.path, HOUR);
    const dropped = views.get('series')?.dropped.window ?? 0;
    expect([missing(series) - dropped, missing(other), series.tooOld]).toEqual([0, 0, 0]);
    // At most the minute that the back-off lasts, and what is on its way.
    expect(dropped).toBeLessThan(3 * MINUTE * (PER_SECOND / 1_000));
  });

  it('for longer than it accepts loses only what is too old by then, and counts that', async () => {
    await using folder = await mkdtempDisposable(path.join(tmpdir(), 'sink-down-'));
    const { series, events, views, missing, changes, ...seen } = await run(
      folder.path,
      75 * MINUTE,
    );
    const dropped = views.get('series')?.dropped.window ?? 0;
    expect(missing(series)).toBe(dropped);
    expect(dropped).toBeGreaterThan(15 * MINUTE * (PER_SECOND / 1_000));
    expect(series.tooOld).toBe(0);
    // The state changes among them still arrived, as events.
    expect(missing(events, changes)).toBe(0);
    expect(seen.unbalanced).toEqual([]);
  });

  it('without a state folder loses the oldest repeats first, and no state change', async () => {
    const { series, events, views, missing, changes, ...seen } = await run(
      null,
      50 * MINUTE,
      3 * PER_SECOND,
    );
    const dropped = views.get('series')?.dropped.overflow ?? 0;
    expect(dropped).toBeGreaterThan(0);
    expect(missing(series)).toBe(dropped);
    expect(missing(events, changes)).toBe(0);
    expect(missing(series, changes)).toBe(0);
    expect(seen.bytes).toBeLessThanOrEqual(24 * 1024 * 1024);
    expect(seen.unbalanced).toEqual([]);
  });
});
