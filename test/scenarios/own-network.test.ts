import { expect, it } from 'vitest';
import type { Failure, Result } from '../../src/shared/domain/result.ts';
import { aCheck, anAnswer, aSpec } from '../support/builders.ts';
import { aCatalogue, startFleet } from '../support/fleet.ts';

const MINUTE = 60_000;

const timedOut = (host: string): Failure => ({
  kind: 'failure',
  code: 'timeout_connect',
  detail: 'no connection within 10000 ms',
  durationMs: 10_000,
  phases: {},
  host,
});

const checks = Array.from({ length: 20 }, (_, n) =>
  aCheck(`host-${n}/`, aSpec({ schedule: { splayMs: MINUTE } })),
);

/** A fleet of 20 hosts; `isDown` says whose connections time out. */
const aFleet = () => {
  const results: Result[] = [];
  const fleet = startFleet({ onResult: ({ result }) => results.push(result) });
  const down = new Set<string>();
  fleet.probe.script = (key) =>
    down.has(key)
      ? { afterMs: 10_000, observation: timedOut(key) }
      : { afterMs: 5, observation: anAnswer() };
  fleet.admin.offer(aCatalogue(checks));
  return { ...fleet, results, down };
};

it('doubts its own network when half of all hosts time out at once', async () => {
  const fleet = aFleet();
  await fleet.clock.advance(3 * MINUTE);
  for (const { key } of checks) fleet.down.add(key);
  await fleet.clock.advance(MINUTE + 15_000);
  fleet.results.length = 0;
  await fleet.clock.advance(5 * MINUTE);
  expect(new Set(fleet.results.map(({ status, code }) => `${status} ${code}`))).toEqual(
    new Set(['unknown checker_network']),
  );
  fleet.down.clear();
  await fleet.clock.advance(2 * MINUTE);
  fleet.results.length = 0;
  await fleet.clock.advance(MINUTE);
  expect(new Set(fleet.results.map(({ status }) => status))).toEqual(new Set(['ok']));
});

it('reports a few hosts that are down as down', async () => {
  const fleet = aFleet();
  await fleet.clock.advance(3 * MINUTE);
  for (const { key } of checks.slice(0, 8)) fleet.down.add(key);
  await fleet.clock.advance(MINUTE + 15_000);
  fleet.results.length = 0;
  await fleet.clock.advance(3 * MINUTE);
  const bad = fleet.results.filter(({ status }) => status !== 'ok');
  expect(new Set(bad.map(({ code }) => code))).toEqual(new Set(['timeout_connect']));
  expect(new Set(bad.map(({ check }) => check)).size).toBe(8);
});
