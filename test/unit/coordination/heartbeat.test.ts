import { describe, expect, it } from 'vitest';
import { backoffMs } from '../../../src/shared/coordination/backoff.ts';
import { Fence } from '../../../src/shared/coordination/fence.ts';
import { keepAlive } from '../../../src/shared/coordination/heartbeat.ts';
import { WatcherError } from '../../../src/shared/domain/errors.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const away = new WatcherError('WCH_STORE_UNAVAILABLE', 'away', { retryable: true });

/** A lease whose beats do as told; the instants of all beats are written down. */
const beating = () => {
  const clock = new ManualClock();
  const fence = new Fence(clock, 1500);
  const stop = new AbortController();
  const beats: number[] = [];
  const state = { failing: null as Error | null, clock, fence, stop, beats };
  const beat = async () => {
    beats.push(clock.monotonicMs());
    if (state.failing) throw state.failing;
    return { ttlMs: 6000, sentAt: clock.monotonicMs() };
  };
  const options = { clock, random: seededRandom(1), fence, heartbeatMs: 2000, beat };
  return {
    ...state,
    options,
    fail: (error: Error | null) => {
      state.failing = error;
    },
  };
};

const distances = (instants: readonly number[]): number[] =>
  instants.slice(1).map((instant, i) => instant - (instants[i] ?? 0));

describe('the heartbeat', () => {
  it('beats at once and then about every period, never in step with others', async () => {
    const { clock, beats, options, stop } = beating();
    void keepAlive(options, stop.signal);
    await clock.advance(60_000);
    expect(beats[0]).toBe(0);
    for (const distance of distances(beats)) {
      expect(distance).toBeGreaterThanOrEqual(1800);
      expect(distance).toBeLessThanOrEqual(2000);
    }
    expect(new Set(distances(beats)).size).toBeGreaterThan(20);
    stop.abort();
  });

  it('tries again within a second for as long as the store is away, then beats on', async () => {
    const { clock, beats, options, stop, fail } = beating();
    fail(away);
    const done = keepAlive(options, stop.signal);
    await clock.advance(60_000);
    expect(Math.max(...distances(beats))).toBeLessThanOrEqual(1000);
    expect(beats.length).toBeLessThan(300);
    fail(null);
    await clock.advance(1000);
    expect(options.fence.attached).toBe(true);
    stop.abort();
    await done;
  });

  it('ends with its fence shut when the lease is lost', async () => {
    const { clock, options, stop, fence, fail } = beating();
    const done = keepAlive(options, stop.signal);
    await clock.advance(100);
    expect(fence.attached).toBe(true);
    fail(new WatcherError('WCH_LEASE_LOST', 'gone'));
    await clock.until(done);
    expect(fence.attached).toBe(false);
  });

  it('takes an answer that comes after its lease for no proof, and beats again at once', async () => {
    const { clock, beats, options, stop, fence } = beating();
    const told: boolean[] = [];
    const beat = async () => {
      const grant = await options.beat();
      if (beats.length === 1) await clock.sleep(7000);
      return grant;
    };
    void keepAlive({ ...options, beat, onBeat: () => told.push(fence.attached) }, stop.signal);
    await clock.advance(7100);
    expect(distances(beats)).toEqual([7000]);
    expect(told).toEqual([true]);
    stop.abort();
  });

  it('ends when it is told to, in the middle of a pause', async () => {
    const { clock, beats, options, stop } = beating();
    const done = keepAlive(options, stop.signal);
    await clock.advance(100);
    stop.abort();
    await done;
    expect(beats.length).toBe(1);
  });

  it('does not hide a defect behind a retry', async () => {
    const { options, stop, fail } = beating();
    fail(new TypeError('a defect'));
    await expect(keepAlive(options, stop.signal)).rejects.toThrow('a defect');
  });
});

describe('the back-off', () => {
  it('grows from a quarter of a second to one second and stays there, with full jitter', () => {
    const most = { next: () => 0.999_999, uuid: () => '' };
    expect([1, 2, 3, 4, 50].map((n) => Math.round(backoffMs(n, most)))).toEqual([
      250, 500, 1000, 1000, 1000,
    ]);
    expect(backoffMs(9, { ...most, next: () => 0 })).toBe(0);
  });
});
