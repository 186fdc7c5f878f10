import { expect, it } from 'vitest';
import type { Result } from '../../src/shared/domain/result.ts';
import { aCheck, aSpec } from '../support/builders.ts';
import { aCatalogue, startFleet } from '../support/fleet.ts';

const MINUTE = 60_000;
const spread = aSpec({ schedule: { splayMs: MINUTE } });
const named = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, n) => aCheck(`${prefix}-${n}/`, spread));

const aFleet = () => {
  const results: Result[] = [];
  const fleet = startFleet({ onResult: ({ result }) => results.push(result) });
  return { ...fleet, results };
};

it('runs what a reload brings, drops what it takes, and lets the others keep their ticks', async () => {
  const fleet = aFleet();
  const kept = named('kept', 150);
  fleet.admin.offer(aCatalogue([...kept, ...named('old', 5)]));
  await fleet.clock.advance(3 * MINUTE);
  fleet.admin.offer(aCatalogue([...kept, ...named('new', 5)]));
  await fleet.clock.advance(1_000);
  fleet.results.length = 0;
  await fleet.clock.advance(3 * MINUTE);
  const runs = (prefix: string) => fleet.results.filter(({ check }) => check.startsWith(prefix));
  expect(runs('old')).toEqual([]);
  expect(runs('new')).toHaveLength(15);
  expect(runs('kept')).toHaveLength(450);
  expect(fleet.worker.tally).toMatchObject({ unaccounted: 0, late: 0 });
  expect(fleet.worker.tally.skipped).toEqual({
    overlap: 0,
    catchup: 0,
    released: 0,
    fenced: 0,
    capacity: 0,
    suspected: 0,
  });
});

it('goes on with everything when the folder is suddenly empty', async () => {
  const fleet = aFleet();
  fleet.admin.offer(aCatalogue(named('a', 50)));
  await fleet.clock.advance(MINUTE);
  fleet.admin.offer(aCatalogue([]));
  await fleet.clock.advance(9 * MINUTE);
  expect(fleet.worker.held).toBe(50);
  fleet.admin.confirm();
  await fleet.clock.advance(1_000);
  expect(fleet.worker.held).toBe(0);
});

it('stops without a tick lost: what runs is finished, what waits is accounted for', async () => {
  const fleet = aFleet();
  fleet.admin.offer(aCatalogue(named('a', 50)));
  await fleet.clock.advance(90_500);
  await fleet.stop();
  expect(fleet.worker.tally).toMatchObject({ unaccounted: 0, pending: 0 });
  expect(fleet.probe.inFlight).toBe(0);
});
