import { describe, expect, it } from 'vitest';
import { LEASE_TIMING } from '../../src/shared/coordination/heartbeat.ts';
import { Keys } from '../../src/shared/coordination/keys.ts';
import { Ledger } from '../../src/shared/coordination/ledger.ts';
import { decodeJobset } from '../../src/shared/coordination/records.ts';
import type { CheckDefinition, WorkerId } from '../../src/shared/domain/check.ts';
import type { ReasonCode } from '../../src/shared/domain/reasons.ts';
import type { Failure, Result, Transition } from '../../src/shared/domain/result.ts';
import { silentLog } from '../../src/shared/runtime/log.ts';
import { Meter } from '../../src/shared/runtime/meter.ts';
import { Worker } from '../../src/worker/worker.ts';
import { aCheck, anAnswer, aSpec, IDLE_LOOP } from '../support/builders.ts';
import { aCatalogue, startFleet } from '../support/fleet.ts';
import { ScriptedProbe } from '../support/scripted-probe.ts';
import { seededRandom } from '../support/seeded-random.ts';

const SECOND = 1_000;
const MINUTE = 60_000;
const keys = new Keys();
const START = Date.UTC(2026, 0, 1);

const failure = (code: ReasonCode, host: string, durationMs: number): Failure => ({
  kind: 'failure',
  code,
  detail: code,
  durationMs,
  phases: {},
  host,
});

/** `x` cannot be reached from where it stands, in the way that a run says with this code. */
const cutOff = (probe: ScriptedProbe, codes: Readonly<Record<string, ReasonCode>>): void => {
  probe.reach = (origin) => (origin in codes ? 'unreached' : 'reached');
  probe.script = (key) => {
    const host = key.split('/', 1)[0] as string;
    const code = codes[host];
    if (code === undefined) return { afterMs: 50, observation: anAnswer() };
    const afterMs = code === 'timeout_connect' ? 10 * SECOND : 1;
    return { afterMs, observation: failure(code, host, afterMs) };
  };
};

const everyMinute = (...hosts: readonly string[]): CheckDefinition[] =>
  hosts.map((host) => aCheck(`${host}/`, aSpec({ schedule: { splayMs: MINUTE } })));

/** An admin, a first worker and a store; others join. */
const aPool = (seed = 1) => {
  const results: Result[] = [];
  /** `check status`, each time that a check has turned. */
  const turns: string[] = [];
  const take = (result: Result, transition: Transition | null): void => {
    results.push(result);
    if (transition) turns.push(`${result.check} ${result.status}`);
  };
  const fleet = startFleet({
    seed,
    startAt: START,
    onResult: ({ result, transition }) => take(result, transition),
  });
  const { clock, store, random, probe } = fleet;
  const join = (id: string) => {
    const probe = new ScriptedProbe(clock);
    const worker = new Worker({
      clock,
      random,
      log: silentLog,
      meter: new Meter(),
      ledger: new Ledger({ store, keys, clock, random }),
      probes: { http: probe },
      record: {
        id: id as WorkerId,
        state: 'up',
        capacity: { places: 256, jobs: null },
        host: id,
        zone: null,
        version: '0.0.0',
        listen: null,
        started: clock.now(),
      },
      timing: LEASE_TIMING,
      places: { total: 256, perHost: 128 },
      loop: () => IDLE_LOOP,
      mode: 'rebalance',
      runAtStart: false,
      stopOnLoss: false,
      graceMs: 5_000,
      drainMs: 25_000,
      onResult: take,
    });
    worker.start();
    return { worker, probe };
  };
  const of = (host: string): Result[] => results.filter(({ check }) => check === `${host}/`);
  const workersOf = (host: string): string[] => [...new Set(of(host).map(({ worker }) => worker))];
  /** Who could not reach it, says the ledger. */
  const refusalsOf = async (host: string): Promise<readonly string[]> => {
    const { entries } = await store.snapshot(keys.jobsets);
    const jobsets = entries.map((entry) => decodeJobset(keys.jobsetOf(entry.key), entry));
    const { id } = aCheck(`${host}/`);
    return jobsets.find(({ jobs }) => jobs.includes(id))?.avoid ?? [];
  };
  return { ...fleet, first: probe, turns, join, of, workersOf, refusalsOf };
};

/** Each tick has one result, and none between the first and the last is missing. */
const expectWhole = (results: readonly Result[], intervalMs: number): void => {
  const ticks = results.map(({ tick }) => tick).sort((a, b) => a - b);
  const [from = 0] = ticks;
  expect(ticks).toEqual(ticks.map((_, i) => from + i * intervalMs));
};

describe('an endpoint that one worker has no road to', () => {
  it('is passed to a worker that has one; the rest stays', async () => {
    const pool = aPool();
    cutOff(pool.first, { x: 'checker_no_route' });
    pool.admin.offer(aCatalogue(everyMinute('a', 'b', 'x', 'c')));
    await pool.clock.advance(3 * MINUTE);
    expect(pool.of('x').map(({ status }) => status)).toContain('unknown');
    const [first] = pool.workersOf('a');
    pool.join('second');
    await pool.clock.advance(10 * MINUTE);
    expect(pool.workersOf('x')).toEqual([first, 'second']);
    for (const host of ['a', 'b', 'c']) expect(pool.workersOf(host)).toEqual([first]);
    for (const host of ['a', 'b', 'c', 'x']) expectWhole(pool.of(host), MINUTE);
    expect(pool.of('x').at(-1)?.status).toBe('ok');
  });

  it('is passed on before its first run, when others are there already', async () => {
    const pool = aPool();
    cutOff(pool.first, { x: 'timeout_connect', y: 'timeout_connect' });
    const others = ['second', 'third'].map((id) => pool.join(id));
    await pool.clock.advance(10 * SECOND);
    pool.admin.offer(aCatalogue(everyMinute('a', 'b', 'c', 'x', 'y')));
    await pool.clock.advance(10 * MINUTE);
    for (const host of ['a', 'b', 'c', 'x', 'y']) {
      expectWhole(pool.of(host), MINUTE);
      expect(pool.of(host).at(-1)?.status).toBe('ok');
    }
    expect(others).toHaveLength(2);
  });
});

describe('an endpoint that is down', () => {
  it.each([
    ['timeout_connect', [1, 2, 3, 4, 5, 6]],
    ['refused', [1, 2, 3]],
  ] as const)('is critical within two intervals and does not wander (%s)', async (code, seeds) => {
    for (const seed of seeds) {
      const pool = aPool(seed);
      const probes = [pool.first, ...['b', 'c', 'd'].map((id) => pool.join(id).probe)];
      for (const probe of probes) cutOff(probe, { x: code });
      await pool.clock.advance(10 * SECOND);
      pool.admin.offer(aCatalogue(everyMinute('a', 'b', 'c', 'x', 'e')));
      await pool.clock.advance(2 * MINUTE);
      expect(pool.of('x').at(-1)?.status).toBe('critical');
      expect(pool.of('x')[0]?.latenessMs).toBeLessThan(5 * SECOND);
      expect(await pool.refusalsOf('x')).toHaveLength(2);
      await pool.clock.advance(10 * MINUTE);
      const since = pool.clock.now();
      await pool.clock.advance(60 * MINUTE);
      const late = pool.of('x').filter(({ tick }) => tick >= since);
      expect(new Set(late.map(({ worker }) => worker)).size).toBe(1);
      expect(pool.workersOf('x').length).toBeLessThanOrEqual(3);
      expectWhole(pool.of('x'), MINUTE);
    }
  });

  it('goes on being reported while it is offered from worker to worker', async () => {
    const pool = aPool();
    const probes = [pool.first, pool.join('second').probe, pool.join('third').probe];
    pool.admin.offer(aCatalogue(everyMinute('a', 'b', 'x')));
    await pool.clock.advance(30 * MINUTE);
    for (const probe of probes) cutOff(probe, { x: 'timeout_connect' });
    const downAt = pool.clock.now();
    await pool.clock.advance(2 * MINUTE);
    const critical = pool.of('x').filter(({ status }) => status === 'critical');
    expect((critical[0] as Result).tick - downAt).toBeLessThan(MINUTE);
    await pool.clock.advance(20 * MINUTE);
    expectWhole(pool.of('x'), MINUTE);
    expect(pool.workersOf('x').length).toBeLessThanOrEqual(3);
    expect(pool.workersOf('x').length).toBeGreaterThan(1);
    expect(pool.turns.filter((turn) => turn.startsWith('x'))).toEqual(['x/ critical']);
  });
});

it('a worker that reaches nothing passes nothing on', async () => {
  const pool = aPool();
  pool.first.reach = () => 'unreached';
  const hosts = Array.from({ length: 12 }, (_, n) => `host-${n}`);
  pool.admin.offer(aCatalogue(everyMinute(...hosts)));
  await pool.clock.advance(10 * SECOND);
  const { worker } = pool.join('second');
  cutOff(pool.first, Object.fromEntries(hosts.map((host) => [host, 'timeout_connect'])));
  await pool.clock.advance(30 * MINUTE);
  expect(worker.held).toBe(0);
});

it.each(Array.from({ length: 12 }, (_, seed) => seed))(
  'whoever reaches what, no tick is missed and none is run twice (seed %i)',
  async (seed) => {
    const random = seededRandom(1_000 + seed);
    const pool = aPool(seed);
    const probes = [pool.first, ...['b', 'c'].map((id) => pool.join(id).probe)];
    const hosts = Array.from({ length: 12 }, (_, n) => `host-${n}`);
    const codes = ['timeout_connect', 'refused', 'checker_no_route'] as const;
    for (const probe of probes) {
      const dead = hosts.filter(() => random.next() < 0.25);
      cutOff(
        probe,
        Object.fromEntries(dead.map((host) => [host, codes[Math.floor(random.next() * 3)]!])),
      );
    }
    const checks = hosts.map((host) =>
      aCheck(`${host}/`, aSpec({ schedule: { cron: '*/15 * * * * *' } })),
    );
    // So that runs are in flight when the first offers are made.
    await pool.clock.advance(random.next() * 15 * SECOND);
    pool.admin.offer(aCatalogue(checks));
    await pool.clock.advance(20 * MINUTE);
    for (const host of hosts) {
      expectWhole(pool.of(host), 15 * SECOND);
      expect(pool.of(host).length).toBeGreaterThan(78);
    }
  },
);
