import { describe, expect, it } from 'vitest';
import { releaseWrites } from '../../src/shared/coordination/suspects.ts';
import type { Suspects } from '../../src/shared/domain/jobset.ts';
import { aCheck, aSpec } from '../support/builders.ts';
import { aMortalPool, type Deed } from '../support/mortal-pool.ts';
import { seededRandom } from '../support/seeded-random.ts';

const SECOND = 1_000;
const MINUTE = 60_000;
const POISON = 'poison';

const every = (seconds: number, ...names: readonly string[]) =>
  names.map((name) => aCheck(name, aSpec({ schedule: { cron: `*/${seconds} * * * * *` } })));
const eachMinute = (...names: readonly string[]) =>
  names.map((name) => aCheck(name, aSpec({ schedule: { splayMs: MINUTE } })));

const NAMES = Array.from({ length: 20 }, (_, i) => `check-${i}`);

const poisonous: Deed = ({ check }) => (check === POISON ? 'dies' : { afterMs: 50 });

type Pool = ReturnType<typeof aMortalPool>;

/** A supervisor starts another one a second after each death. */
const live = async (pool: Pool, ms: number, workers: number): Promise<void> => {
  for (let passed = 0; passed < ms; passed += SECOND) {
    while (pool.live().length < workers) pool.join();
    await pool.clock.advance(SECOND);
  }
};

/** Each tick of it between its first and its last result has one, and there are results until now. */
const expectWhole = (pool: Pool, check: string, intervalMs: number): void => {
  const ticks = pool.resultsOf(check).map(({ tick }) => tick);
  const [from = 0] = ticks;
  expect([...new Set(ticks)].sort()).toEqual(
    Array.from({ length: new Set(ticks).size }, (_, i) => from + i * intervalMs),
  );
  expect(pool.clock.now() - (ticks.at(-1) ?? 0)).toBeLessThanOrEqual(intervalMs + SECOND);
};

const quarantinedIn = async (pool: Pool): Promise<string[]> => {
  const ids = (await pool.jobsets())
    .filter(({ waiting }) => waiting?.reason === 'quarantined')
    .flatMap(({ jobs }) => jobs);
  return ids.map((id) => id.replace('id-of-', ''));
};

const deathsOf = (jobs: Suspects['jobs']): number => jobs[aCheck(POISON).id]?.deaths ?? 0;

/** Of those that live, one at random. */
const killOne = (pool: Pool, share: number): void => {
  const live = pool.live();
  live[Math.floor(share * live.length)]?.kill();
};

describe('a check whose runs end their worker', () => {
  it.each([
    ['each second', every(1, ...NAMES, POISON)],
    ['each five seconds', every(5, ...NAMES, POISON)],
    ['each minute', eachMinute(...NAMES, POISON)],
  ])('is quarantined after three deaths when it is due %s', async (_, definitions) => {
    const pool = aMortalPool();
    pool.behaviour.deed = poisonous;
    await pool.publish('j', definitions);
    await live(pool, 5 * MINUTE, 5);
    expect(pool.deaths).toHaveLength(3);
    const jobsets = await pool.jobsets();
    const [quarantined] = jobsets.filter(({ waiting }) => waiting?.reason === 'quarantined');
    expect(quarantined?.jobs).toEqual([aCheck(POISON).id]);
    expect(jobsets.filter(({ waiting }) => waiting === null)).toHaveLength(1);
    expect(Object.keys(await pool.suspects())).toEqual([quarantined?.id]);
  });

  it('costs the other checks of its jobset nothing but the time of three takeovers', async () => {
    const pool = aMortalPool();
    pool.behaviour.deed = poisonous;
    await pool.publish('j', eachMinute(...NAMES, POISON));
    await live(pool, 5 * MINUTE, 5);
    for (const name of NAMES) expectWhole(pool, name, MINUTE);
  });

  it('is quarantined when it kills before a heartbeat has told of it', async () => {
    const pool = aMortalPool();
    pool.behaviour.deed = poisonous;
    await pool.publish('j', every(1, POISON));
    await live(pool, 2 * MINUTE, 5);
    expect(pool.deaths).toHaveLength(3);
    const jobsets = await pool.jobsets();
    expect(jobsets).toMatchObject([{ id: 'j', waiting: { reason: 'quarantined' } }]);
  });

  it('is quarantined when it begins to kill after its jobset was handed back', async () => {
    const pool = aMortalPool();
    await pool.publish('j', every(1, ...NAMES, POISON));
    const first = pool.join();
    await pool.clock.advance(10 * SECOND);
    pool.behaviour.deed = ({ check, worker }) =>
      check === POISON && worker !== 'w1' ? 'dies' : { afterMs: 50 };
    await pool.clock.until(first.worker.drain());
    first.kill();
    await live(pool, 2 * MINUTE, 5);
    expect(pool.deaths).toHaveLength(3);
    expect(await quarantinedIn(pool)).toEqual([POISON]);
  });

  it('is quarantined when it kills in its run at start', async () => {
    const pool = aMortalPool();
    pool.behaviour.deed = poisonous;
    pool.behaviour.isRunAtStart = true;
    await pool.publish('j', eachMinute(...NAMES, POISON));
    await live(pool, 5 * MINUTE, 5);
    expect(pool.deaths).toHaveLength(3);
  });

  it('is quarantined when its runs bring their worker to a standstill', async () => {
    const pool = aMortalPool();
    pool.behaviour.deed = ({ check }) => (check === POISON ? 'stands still' : { afterMs: 50 });
    await pool.publish('j', every(5, ...NAMES, POISON));
    await live(pool, 5 * MINUTE, 5);
    expect(pool.deaths).toHaveLength(3);
    expect(await quarantinedIn(pool)).toEqual([POISON]);
  });

  it('is found beside another one, and each costs three workers at most', async () => {
    const pool = aMortalPool();
    pool.behaviour.deed = ({ check }) => (check.startsWith(POISON) ? 'dies' : { afterMs: 50 });
    const poisons = [`${POISON}-1`, `${POISON}-2`];
    await pool.publish('j', every(5, ...NAMES, ...poisons));
    await live(pool, 5 * MINUTE, 5);
    expect((await quarantinedIn(pool)).toSorted()).toEqual(poisons);
    for (const poison of poisons)
      expect(pool.deaths.filter((death) => death.startsWith(poison)).length).toBeLessThan(4);
    for (const name of NAMES) expectWhole(pool, name, 5 * SECOND);
  });

  it.each([1, 2, 3])('is found while workers die of other things (seed %i)', async (seed) => {
    const pool = aMortalPool({ seed });
    pool.behaviour.deed = poisonous;
    await pool.publish('j', every(5, ...NAMES, POISON));
    await pool.publish('k', every(5, 'other'));
    const random = seededRandom(seed);
    for (let kills = 0; kills < 10; kills += 1) {
      await live(pool, 10 * SECOND + Math.floor(random.next() * 20 * SECOND), 5);
      killOne(pool, random.next());
    }
    await live(pool, MINUTE, 5);
    expect(await quarantinedIn(pool)).toEqual([POISON]);
    expect(pool.deaths.length).toBeLessThan(4);
  });

  it('is not run alone while the ledger cannot say so, and is counted then', async () => {
    const pool = aMortalPool();
    pool.behaviour.deed = ({ check, worker }) =>
      check === POISON && ['w1', 'w2', 'w3'].includes(worker) ? 'dies' : { afterMs: 50 };
    const five = { schedule: { cron: '5/10 * * * * *' } };
    const others = NAMES.map((name) => aCheck(name, aSpec(five)));
    await pool.publish('j', [...others, ...every(10, POISON)]);
    await live(pool, SECOND, 3);
    while (pool.deaths.length < 2) await pool.clock.advance(100);
    const [last] = pool.live();
    while (Object.values(await pool.suspects()).every((jobs) => deathsOf(jobs) < 2))
      await pool.clock.advance(10);
    const cut = last?.network ?? pool.workers[0]!.network;
    cut.cut = true;
    const before = pool.starts.length;
    await pool.clock.advance(MINUTE);
    const since = pool.starts.slice(before).map(({ check }) => check);
    expect(since).toContain('check-1');
    expect(since).not.toContain(POISON);
    // The store is away for nobody else; there is nobody else.
    pool.behaviour.deed = () => ({ afterMs: 50 });
    cut.heal();
    await pool.clock.advance(MINUTE);
    expectWhole(pool, 'check-1', 10 * SECOND);
    expect(pool.resultsOf(POISON).length).toBeGreaterThan(4);
    expect(last?.worker.tally.skipped.suspected).toBeGreaterThan(3);
    expect(await pool.suspects()).toEqual({});
  });

  it('runs again when it is released, with nothing held against it', async () => {
    const pool = aMortalPool();
    pool.behaviour.deed = poisonous;
    await pool.publish('j', every(5, ...NAMES, POISON));
    await live(pool, 3 * MINUTE, 5);
    const jobsets = await pool.jobsets();
    const quarantined = jobsets.find(({ waiting }) => waiting !== null);
    const before = pool.resultsOf(POISON).length;
    pool.behaviour.deed = () => ({ afterMs: 50 });
    await pool.store.commit([], releaseWrites(pool, quarantined!));
    await live(pool, MINUTE, 5);
    expect(pool.resultsOf(POISON).length - before).toBeGreaterThan(10);
    expect(await pool.suspects()).toEqual({});
  });
});

describe('a pool whose checks are well', () => {
  const KILLS = 50;

  it.each([1, 2, 3])('quarantines nothing, whoever is killed (seed %i)', async (seed) => {
    const pool = aMortalPool({ seed });
    pool.behaviour.deed = ({ check }) => ({ afterMs: check === 'slow' ? 900 : 50 });
    await pool.publish('j', every(1, ...NAMES));
    await pool.publish('k', eachMinute(...NAMES.map((name) => `k-${name}`)));
    await pool.publish('l', every(5, 'slow'));
    const random = seededRandom(seed);
    for (let kills = 0; kills < KILLS; kills += 1) {
      await live(pool, SECOND + Math.floor(random.next() * 15 * SECOND), 5);
      killOne(pool, random.next());
    }
    await live(pool, MINUTE, 5);
    expect(await quarantinedIn(pool)).toEqual([]);
    expect(await pool.suspects()).toEqual({});
  });

  it.each([1, 2, 3])('quarantines nothing, whoever is cut off (seed %i)', async (seed) => {
    const pool = aMortalPool({ seed });
    await pool.publish('j', every(1, ...NAMES));
    await pool.publish('k', eachMinute(...NAMES.map((name) => `k-${name}`)));
    const random = seededRandom(seed);
    await live(pool, 10 * SECOND, 5);
    for (let outages = 0; outages < 30; outages += 1) {
      const isWhole = random.next() < 0.5;
      const hit = pool.workers.filter(() => isWhole || random.next() < 0.4);
      for (const { network } of hit) network.cut = true;
      await live(pool, SECOND + Math.floor(random.next() * 20 * SECOND), 5);
      for (const { network } of hit) network.heal();
      await live(pool, SECOND + Math.floor(random.next() * 10 * SECOND), 5);
    }
    await live(pool, MINUTE, 5);
    expect(await quarantinedIn(pool)).toEqual([]);
    expect(await pool.suspects()).toEqual({});
  });
});
