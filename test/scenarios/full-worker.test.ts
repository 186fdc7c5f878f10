/** A worker that has more to do than it can, on virtual time: it says so in the ledger, and when it has room again. */

import { describe, expect, it } from 'vitest';
import { Keys } from '../../src/shared/coordination/keys.ts';
import { decodeBeat, decodeWorker } from '../../src/shared/coordination/records.ts';
import type { Beat, WorkerRecord } from '../../src/shared/domain/jobset.ts';
import { aCheck, anAnswer, aSpec } from '../support/builders.ts';
import { aCatalogue, startFleet } from '../support/fleet.ts';

const MINUTE = 60_000;
const keys = new Keys();
const everyMinute = aSpec({ schedule: { splayMs: MINUTE } });

const aFleet = () => {
  const fleet = startFleet({ total: 20, perHost: 10 });
  const told = async (): Promise<{ readonly record: WorkerRecord; readonly beat: Beat }> => {
    const [record] = (await fleet.store.snapshot(keys.workers)).entries;
    if (record === undefined) throw new Error('nobody is registered');
    const id = keys.workerOf(record.key);
    const [beat] = (await fleet.store.snapshot(keys.beat(id))).entries;
    if (beat === undefined) throw new Error('it has not beaten');
    return { record: decodeWorker(id, record), beat: decodeBeat(beat) };
  };
  const takes = (ms: number): void => {
    fleet.probe.script = () => ({ afterMs: ms, observation: anAnswer({ durationMs: ms }) });
  };
  return { ...fleet, told, takes };
};

/** Each host has ten. */
const checks = (count: number) =>
  Array.from({ length: count }, (_, n) => aCheck(`host-${n % (count / 10)}/${n}`, everyMinute));

describe('a worker whose targets slow down', () => {
  it('is full when it has measured that, and has room again when they recover', async () => {
    const { clock, admin, worker, told, takes, stop } = aFleet();
    takes(1_200);
    admin.offer(aCatalogue(checks(100)));
    await clock.advance(3 * MINUTE);
    const before = await told();
    expect(before.record).toMatchObject({ state: 'up', capacity: { places: 20, jobs: null } });
    expect(before.beat.checks).toBe(100);
    expect(before.beat.load).toMatchObject({ places: 2, behind: 0, overdueMs: 0, slowHosts: [] });

    takes(11_400);
    await clock.advance(12 * MINUTE);
    const loaded = await told();
    expect(loaded.record.state).toBe('full');
    expect(loaded.beat.load.places).toBeGreaterThan(18);
    expect(worker.attached).toBe(true);

    takes(1_200);
    await clock.advance(5 * MINUTE);
    expect((await told()).record.state).toBe('up');
    await stop();
  });

  it('says how many of its checks stay behind, and loses count of none', async () => {
    const { clock, admin, worker, told, takes, stop } = aFleet();
    takes(30_000);
    admin.offer(aCatalogue(checks(100)));
    const beats: Beat[] = [];
    for (let look = 0; look < 60; look += 1) {
      await clock.advance(5_000);
      beats.push((await told()).beat);
    }
    expect(Math.max(...beats.map(({ load }) => load.behind))).toBeGreaterThan(0);
    expect(Math.max(...beats.map(({ load }) => load.latenessP99Ms ?? 0))).toBeGreaterThan(30_000);
    expect(Math.max(...beats.map(({ load }) => load.places))).toBeGreaterThan(20);
    expect(worker.tally.unaccounted).toBe(0);
    await stop();
  });
});

describe('a host that answers nothing', () => {
  it('fills no worker, and is named', async () => {
    const { clock, admin, probe, told, stop } = aFleet();
    probe.script = (key) =>
      key.startsWith('tarpit')
        ? {
            afterMs: 10_000,
            observation: {
              kind: 'failure',
              code: 'timeout_first_byte',
              detail: 'no first byte within 10 s',
              durationMs: 10_000,
              phases: {},
              host: 'tarpit',
            },
          }
        : { afterMs: 100, observation: anAnswer({ durationMs: 100 }) };
    const tarpit = Array.from({ length: 200 }, (_, n) =>
      aCheck(`tarpit/${n}`, aSpec({ schedule: { splayMs: MINUTE } })),
    );
    admin.offer(aCatalogue([...checks(20), ...tarpit]));
    await clock.advance(10 * MINUTE);
    const { record, beat } = await told();
    expect(record.state).toBe('up');
    expect(beat.load.places).toBeLessThan(1);
    expect(beat.load.slowHosts).toMatchObject([{ host: 'tarpit' }]);
    expect(beat.load.slowHosts[0]?.load).toBeGreaterThan(20);
    expect(beat.load.slowHosts[0]?.waiting).toBeGreaterThan(0);
    await stop();
  });
});
