import { Writable } from 'node:stream';
import { expect, it } from 'vitest';
import { JsonLines } from '../../../src/shared/sinks/json/json-lines.ts';
import { aResult, TICK } from '../../support/builders.ts';
import { ManualClock } from '../../support/manual-clock.ts';

/** A reader that takes what comes, once it is let. */
const aReader = () => {
  const taken: string[] = [];
  const waiting: (() => void)[] = [];
  let reads = true;
  const stream = new Writable({
    decodeStrings: false,
    write: (text: string, _encoding, done) => {
      taken.push(text);
      if (reads) done();
      else waiting.push(done);
    },
  });
  const stall = () => {
    reads = false;
  };
  return { taken, stream, stall };
};

it('writes one line a result, with the documented keys and nothing more', async () => {
  const { taken, stream } = aReader();
  const sink = new JsonLines(stream, new ManualClock());
  sink.write(aResult());
  sink.write(aResult({ reason: 'line\nbreak', unscheduled: true, certificateExpiresAt: TICK }));
  await sink[Symbol.asyncDispose]();
  const lines = taken.join('').trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    {
      check: 'a/',
      tick: '2026-01-01T00:00:00.000Z',
      start: '2026-01-01T00:00:00.003Z',
      lateness_ms: 3,
      duration_ms: 12.346,
      phases: { dns: 0, connect: 1.235 },
      status: 'ok',
      code: null,
      reason: null,
      values: { status: 'ok' },
      worker: 'w1',
      token: '7',
      detached: false,
    },
    expect.objectContaining({
      reason: 'line\nbreak',
      unscheduled: true,
      certificate_expires: '2026-01-01T00:00:00.000Z',
    }),
  ]);
});

it('gathers lines for a moment, and not for longer', async () => {
  const clock = new ManualClock();
  const { taken, stream } = aReader();
  const sink = new JsonLines(stream, clock);
  sink.write(aResult());
  sink.write(aResult());
  expect(taken).toEqual([]);
  await clock.advance(100);
  expect(taken).toHaveLength(1);
});

it('writes a burst before its moment is over', () => {
  const { taken, stream } = aReader();
  const sink = new JsonLines(stream, new ManualClock());
  for (let n = 0; n < 1_000; n++) sink.write(aResult());
  expect(taken.length).toBeGreaterThan(1);
});

it('drops and counts what a reader that has stopped does not take, and holds no more than a bound', async () => {
  const clock = new ManualClock();
  const { stream, stall } = aReader();
  const sink = new JsonLines(stream, clock);
  stall();
  const big = aResult({ reason: 'x'.repeat(100_000) });
  for (let n = 0; n < 1_000; n++) sink.write(big);
  await clock.advance(100);
  const [view] = sink.views;
  expect(view?.produced).toBe(1_000);
  expect((view?.delivered ?? 0) + (view?.dropped.overflow ?? 0)).toBe(1_000);
  expect(view?.dropped.overflow).toBeGreaterThan(500);
  expect(stream.writableLength).toBeLessThan(20 * 1024 * 1024);
});

it('counts what comes after the reader has gone as dropped', async () => {
  const clock = new ManualClock();
  const { stream } = aReader();
  const sink = new JsonLines(stream, clock);
  stream.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
  await new Promise((resolve) => stream.once('close', resolve));
  sink.write(aResult());
  await sink[Symbol.asyncDispose]();
  const [view] = sink.views;
  expect([view?.delivered, view?.dropped.overflow]).toEqual([0, 1]);
});
