import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fence } from '../../../src/shared/coordination/fence.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const TTL = 6000;
const MARGIN = 1500;

const opened = async () => {
  const clock = new ManualClock();
  const fence = new Fence(clock, MARGIN);
  const extend = (takesMs: number) =>
    fence.extend(async () => {
      const sentAt = clock.monotonicMs();
      clock.stall(takesMs);
      return { ttlMs: TTL, sentAt };
    });
  await extend(0);
  return { clock, fence, extend };
};

describe('the fence', () => {
  it('is shut before the first renewal', () => {
    expect(new Fence(new ManualClock(), MARGIN).attached).toBe(false);
  });

  it('shuts a margin before the lease can end, on the instant', async () => {
    const { clock, fence } = await opened();
    clock.stall(TTL - MARGIN - 1);
    expect(fence.attached).toBe(true);
    clock.stall(1);
    expect(fence.attached).toBe(false);
  });

  it('counts from before a renewal was sent, however late its answer comes', async () => {
    const { clock, fence, extend } = await opened();
    await extend(3000);
    clock.stall(TTL - MARGIN - 3000 - 1);
    expect(fence.attached).toBe(true);
    clock.stall(1);
    expect(fence.attached).toBe(false);
  });

  it('stays as it was when a renewal fails', async () => {
    const { clock, fence } = await opened();
    clock.stall(1000);
    await expect(fence.extend(() => Promise.reject(new Error('away')))).rejects.toThrow('away');
    expect(fence.attached).toBe(true);
    clock.stall(TTL - MARGIN - 1000);
    expect(fence.attached).toBe(false);
  });

  it('shuts when the lease is known to be gone', async () => {
    const { fence } = await opened();
    fence.close();
    expect(fence.attached).toBe(false);
  });

  it('is never open when either clock says that the lease may have ended', async () => {
    const move = fc.record({
      ms: fc.nat({ max: 3000 }),
      step: fc.integer({ min: -5000, max: 5000 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(move, { maxLength: 20 }), async (moves) => {
        const { clock, fence } = await opened();
        const [monotonic, wall] = [clock.monotonicMs(), clock.now()];
        for (const { ms, step } of moves) {
          clock.stall(ms);
          clock.stepWall(step);
          const elapsed = Math.max(clock.monotonicMs() - monotonic, clock.now() - wall);
          expect(fence.attached).toBe(elapsed < TTL - MARGIN);
        }
      }),
    );
  });
});
