import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../support/manual-clock.ts';

describe('virtual time', () => {
  it('runs timers in the order of their instants, each at its own, and those of one instant as set', async () => {
    const timers = fc.array(fc.record({ ms: fc.nat({ max: 50 }), isCancelled: fc.boolean() }));
    await fc.assert(
      fc.asyncProperty(timers, async (all) => {
        const clock = new ManualClock();
        const ran: (readonly [number, number])[] = [];
        all.forEach(({ ms, isCancelled }, n) => {
          const timer = clock.after(ms, () => ran.push([clock.monotonicMs(), n]));
          if (isCancelled) timer.cancel();
        });
        await clock.advance(50);
        const expected = all
          .map(({ ms, isCancelled }, n) => ({ ms, isCancelled, n }))
          .filter(({ isCancelled }) => !isCancelled)
          .sort((a, b) => a.ms - b.ms || a.n - b.n)
          .map(({ ms, n }) => [ms, n] as const);
        expect(ran).toEqual(expected);
      }),
    );
  });

  it('lets everything that a timer set off come to its end before the next one', async () => {
    const clock = new ManualClock();
    const told: string[] = [];
    const chain = async (name: string) => {
      for (let i = 0; i < 100; i += 1) await null;
      told.push(name);
    };
    clock.after(1, () => void chain('first'));
    clock.after(1, () => told.push('second'));
    await clock.advance(1);
    expect(told).toEqual(['first', 'second']);
  });

  it('runs timers that are set meanwhile, when they fall due in the same stretch', async () => {
    const clock = new ManualClock();
    let ticks = 0;
    const tick = () => {
      ticks += 1;
      clock.after(10, tick);
    };
    clock.after(10, tick);
    await clock.advance(100);
    expect(ticks).toBe(10);
  });

  it('runs overdue timers after a stall, when time goes on', async () => {
    const clock = new ManualClock();
    let ranAt = 0;
    clock.after(10, () => {
      ranAt = clock.monotonicMs();
    });
    clock.stall(500);
    expect(ranAt).toBe(0);
    await clock.advance(0);
    expect(ranAt).toBe(500);
  });

  it('keeps the monotonic clock and the timers out of a step of the wall clock', async () => {
    const clock = new ManualClock(1000);
    let ran = false;
    clock.after(10, () => {
      ran = true;
    });
    clock.stepWall(-500);
    expect([clock.now(), clock.monotonicMs()]).toEqual([500, 0]);
    await clock.advance(10);
    expect(ran).toBe(true);
  });

  it('ends a sleep early when its signal aborts', async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    const sleep = clock.sleep(1000, stop.signal);
    stop.abort(new Error('woken'));
    await expect(sleep).rejects.toThrow('woken');
  });

  it('passes until a promise is done, and says when it is not', async () => {
    const clock = new ManualClock();
    await clock.until(clock.sleep(1234));
    expect(clock.monotonicMs()).toBe(1234);
    await expect(clock.until(new Promise(() => {}))).rejects.toThrow('not done');
  });
});
