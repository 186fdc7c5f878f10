/** What a worker does that has more than it can run on time, and what becomes of what it gives away. */

import { afterEach, describe, expect, it } from 'vitest';
import { type Change, keyOf, type WatchEvent } from '../../src/shared/coordination/kv.ts';
import {
  decodeJobset,
  decodeOwnership,
  encodeJobset,
} from '../../src/shared/coordination/records.ts';
import type {
  CheckDefinition,
  CheckId,
  JobsetId,
  WorkerId,
} from '../../src/shared/domain/check.ts';
import type { Jobset } from '../../src/shared/domain/jobset.ts';
import type { Result } from '../../src/shared/domain/result.ts';
import { aCheck, anAnswer, aSpec } from '../support/builders.ts';
import { aCatalogue, type FleetOptions, startFleet } from '../support/fleet.ts';

const SECOND = 1_000;
const MINUTE = 60_000;
const START = Date.UTC(2026, 0, 1);

const everyTenSeconds = (count: number): CheckDefinition[] =>
  Array.from({ length: count }, (_, n) =>
    aCheck(`host-${n}/`, aSpec({ schedule: { cron: '*/10 * * * * *', splayMs: 10 * SECOND } })),
  );

type Pool = Awaited<ReturnType<typeof aPool>>;
const pools: Pool[] = [];
afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.stop();
});

/** Checks that take five of their ten seconds, so a place is enough for two. */
const aPool = async (checks: readonly CheckDefinition[], options: FleetOptions = {}) => {
  const results: Result[] = [];
  const fleet = startFleet({
    startAt: START,
    id: 'w1',
    ...options,
    onResult: ({ result }) => results.push(result),
  });
  const { clock, store, keys } = fleet;
  fleet.probe.script = () => ({
    afterMs: 5 * SECOND,
    observation: anAnswer({ durationMs: 5 * SECOND }),
  });
  fleet.admin.offer(aCatalogue(checks));
  await clock.advance(100);

  const standing = new Map<JobsetId, Jobset>();
  /** Revisions at which a job stood nowhere or twice. */
  const amiss: number[] = [];
  const look = (revision: number): void => {
    const jobs = [...standing.values()].flatMap((jobset) => jobset.jobs);
    if (jobs.length !== checks.length || new Set(jobs).size !== checks.length) amiss.push(revision);
  };
  const revisionOf = (change: Change): number =>
    change.kind === 'put' ? change.entry.modRevision : change.modRevision;
  const fold = (change: Change): void => {
    const id = keys.jobsetOf(keyOf(change));
    if (change.kind === 'put') standing.set(id, decodeJobset(id, change.entry));
    else standing.delete(id);
  };
  const take = (event: WatchEvent): void => {
    if (event.kind !== 'changes') return;
    for (const [at, changes] of Map.groupBy(event.changes, revisionOf)) {
      changes.forEach(fold);
      look(at);
    }
  };
  const { entries, revision } = await store.snapshot(keys.jobsets);
  for (const entry of entries) {
    const id = keys.jobsetOf(entry.key);
    standing.set(id, decodeJobset(id, entry));
  }
  const watching = new AbortController();
  const watched = (async () => {
    for await (const event of store.watch(keys.jobsets, revision, watching.signal)) take(event);
  })();

  const ownerOf = async (): Promise<ReadonlyMap<JobsetId, string | null>> => {
    const { entries } = await store.snapshot(keys.owners);
    return new Map(
      entries.map((entry) => [keys.ownedJobsetOf(entry.key), decodeOwnership(entry).worker]),
    );
  };
  return {
    ...fleet,
    results,
    amiss,
    standing,
    waiting: (): CheckId[] =>
      [...standing.values()].filter((one) => one.waiting !== null).flatMap(({ jobs }) => jobs),
    /** Jobs by who holds them. */
    held: async (): Promise<Record<string, number>> => {
      const owners = await ownerOf();
      const held: Record<string, number> = {};
      for (const { id, jobs } of standing.values()) {
        const owner = owners.get(id) ?? 'nobody';
        held[owner] = (held[owner] ?? 0) + jobs.length;
      }
      return held;
    },
    /** No tick of a check has been run twice. */
    doubled: (): string[] => {
      const seen = new Set<string>();
      const runs = results.map(({ check, tick }) => `${check} ${tick}`);
      return runs.filter((run) => seen.size === seen.add(run).size);
    },
    noAdmin: () => clock.until(fleet.admin[Symbol.asyncDispose]()),
    stop: async () => {
      await fleet.stop();
      watching.abort();
      await watched;
    },
  };
};

const pool = async (...args: Parameters<typeof aPool>): Promise<Pool> => {
  const made = await aPool(...args);
  pools.push(made);
  return made;
};

const lateIn = (results: readonly Result[], since: number): number =>
  results.filter(({ tick, latenessMs }) => tick >= since && latenessMs > 5 * SECOND).length;

describe('a worker alone with twice its load', () => {
  it('puts what stays behind into the queue, a tenth a minute, until the rest is on time', async () => {
    const { clock, waiting, results, amiss, held } = await pool(everyTenSeconds(40), { total: 10 });
    await clock.advance(2 * MINUTE);
    expect(lateIn(results, START)).toBeGreaterThan(0);
    const soon = waiting().length;
    expect(soon).toBeGreaterThan(0);
    expect(soon).toBeLessThan(9);
    await clock.advance(13 * MINUTE);
    const queued = waiting().length;
    expect(await held()).toEqual({ w1: 40 - queued, nobody: queued });
    expect(queued).toBeGreaterThanOrEqual(19);
    expect(queued).toBeLessThanOrEqual(26);
    expect(lateIn(results, clock.now() - MINUTE)).toBe(0);
    expect(amiss).toEqual([]);
  });

  it('keeps all of it when it is late by the cap of runs to one host', async () => {
    const one = everyTenSeconds(12).map((check) => ({
      ...check,
      key: check.key.replace(/\d+/, 'slow'),
    }));
    const { clock, waiting, results } = await pool(one, { total: 10, perHost: 2 });
    await clock.advance(10 * MINUTE);
    expect(lateIn(results, START)).toBeGreaterThan(0);
    expect(waiting()).toEqual([]);
  });
});

describe('what has been kicked', () => {
  it('is taken by a worker with room when nobody has placed it for half a minute', async () => {
    const { clock, waiting, join, noAdmin, doubled, amiss, held, results } = await pool(
      everyTenSeconds(40),
      { total: 10 },
    );
    await clock.advance(4 * MINUTE);
    await noAdmin();
    const queued = waiting();
    expect(queued.length).toBeGreaterThan(4);
    const w2 = join({ id: 'w2', total: 40 });
    await clock.advance(25 * SECOND);
    expect(waiting()).toEqual(expect.arrayContaining(queued));
    await clock.advance(10 * SECOND);
    expect(waiting()).toEqual([]);
    expect((await held())['w2']).toBeGreaterThanOrEqual(queued.length);
    await clock.advance(MINUTE);
    expect(w2.tally.skipped.capacity).toBeGreaterThan(queued.length);
    expect(doubled()).toEqual([]);
    expect(amiss).toEqual([]);
    expect(lateIn(results, clock.now() - 30 * SECOND)).toBe(0);
  });
});

describe('a worker with twice its load beside one with room', () => {
  it('hands back a tenth every five seconds, and runs no tick twice nor leaves one out', async () => {
    const { clock, join, noAdmin, doubled, amiss, held, results, waiting } = await pool(
      everyTenSeconds(40),
      { total: 10 },
    );
    await noAdmin();
    join({ id: 'w2', total: 40 });
    await clock.advance(20 * SECOND);
    const soon = (await held())['w2'] ?? 0;
    expect(soon).toBeGreaterThan(0);
    expect(soon).toBeLessThan(16);
    await clock.advance(2 * MINUTE);
    const { w1 = 0, w2 = 0 } = await held();
    expect(w1 + w2).toBe(40);
    expect(w1).toBeGreaterThanOrEqual(12);
    expect(w1).toBeLessThanOrEqual(17);
    expect(waiting()).toEqual([]);
    expect(doubled()).toEqual([]);
    expect(amiss).toEqual([]);
    const since = clock.now() - MINUTE;
    await clock.advance(10 * SECOND);
    expect(lateIn(results, since)).toBe(0);
    const ticks = results.filter(({ tick }) => tick >= since && tick < since + 30 * SECOND);
    expect(ticks.length).toBe(120);
  });
});

describe('an order of the leader', () => {
  it('is obeyed at once, and no tick is run twice or left out', async () => {
    const { clock, join, noAdmin, doubled, held, results, store, keys, standing } = await pool(
      everyTenSeconds(10),
    );
    await noAdmin();
    for (const id of ['w2', 'w3', 'w4']) join({ id });
    await clock.advance(30 * SECOND);
    expect(await held()).toEqual({ w1: 10 });
    const [jobset] = [...standing.values()];
    if (!jobset) throw new Error('nothing there');
    const value = encodeJobset({ ...jobset, moveTo: 'w3' as WorkerId });
    await store.commit([], [{ kind: 'put', key: keys.jobset(jobset.id), value }]);
    await clock.advance(6 * SECOND);
    expect(await held()).toEqual({ w3: 10 });
    await clock.advance(34 * SECOND);
    expect(await held()).toEqual({ w3: 10 });
    expect(doubled()).toEqual([]);
    const since = START + 10 * SECOND;
    const ticks = results.filter(({ tick }) => tick >= since && tick < since + 40 * SECOND);
    expect(ticks.length).toBe(40);
  });
});

describe('a worker of a pool that sheds', () => {
  it('runs as many jobs as it may and not one more; the rest waits', async () => {
    const { clock, waiting, held, results, amiss, probe } = await pool(everyTenSeconds(5), {
      mode: 'shed',
      maxJobs: 3,
      runAtStart: true,
    });
    await clock.advance(2 * SECOND);
    expect(waiting()).toHaveLength(2);
    await clock.advance(2 * MINUTE);
    expect(waiting()).toHaveLength(2);
    expect(await held()).toEqual({ w1: 3, nobody: 2 });
    expect(new Set(probe.starts.map(({ key }) => key)).size).toBe(3);
    expect(new Set(results.map(({ check }) => check)).size).toBe(3);
    expect(amiss).toEqual([]);
  });
});
