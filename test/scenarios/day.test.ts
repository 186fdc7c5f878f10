import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { jsonLine } from '../../src/shared/sinks/json/json-line.ts';
import { aCheck, anAnswer, aSpec } from '../support/builders.ts';
import { aCatalogue, startFleet } from '../support/fleet.ts';

const DAY = 24 * 60 * 60 * 1000;
const CHECKS = 1_000;

/** A day of checks whose targets are slow, down or well by the seed; every line goes into the trace. */
const aDay = async (seed: number) => {
  const trace = createHash('sha256');
  const runs = new Map<string, Set<number>>();
  const fleet = startFleet({
    seed,
    onResult: ({ result, transition }) => {
      trace.update(jsonLine(result)).update(JSON.stringify(transition));
      const ticks = runs.get(result.check) ?? new Set();
      expect(ticks.has(result.tick)).toBe(false);
      runs.set(result.check, ticks.add(result.tick));
    },
  });
  fleet.probe.script = () => {
    const luck = fleet.random.next();
    if (luck < 0.01) return { afterMs: 90_000, observation: anAnswer({ durationMs: 90_000 }) };
    return {
      afterMs: 1 + luck * 500,
      observation: anAnswer({ statusCode: luck < 0.05 ? 503 : 200 }),
    };
  };
  const minutely = aSpec({ schedule: { splayMs: 60_000 } });
  const checks = Array.from({ length: CHECKS }, (_, n) =>
    aCheck(`host-${n % 100}/path-${n}`, minutely),
  );
  fleet.admin.offer(aCatalogue(checks));
  await fleet.clock.advance(DAY);
  fleet.probe.starts.length = 0;
  const { scheduled, run, skipped, pending, unaccounted } = fleet.worker.tally;
  await fleet.stop();
  return {
    scheduled,
    run,
    skipped: { ...skipped },
    pending,
    unaccounted,
    runs,
    trace: trace.digest('hex'),
  };
};

describe('a day of 1,000 checks', () => {
  it('accounts for every tick, runs each once, and is the same from the same seed', async () => {
    const day = await aDay(7);
    expect(day.unaccounted).toBe(0);
    expect(day.scheduled).toBeGreaterThanOrEqual(CHECKS * (24 * 60 - 1));
    expect(day.skipped).toMatchObject({ catchup: 0, fenced: 0 });
    expect(day.skipped.overlap).toBeGreaterThan(0);
    expect(day.runs.size).toBe(CHECKS);
    const again = await aDay(7);
    expect(again.trace).toBe(day.trace);
  }, 120_000);
});
