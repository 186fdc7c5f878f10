import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Deadlines, type Expiring } from '../../../src/worker/probes/deadlines.ts';
import { LoopWatch } from '../../../src/worker/probes/loop-watch.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const TIMEOUT = 1_000;

const scene = () => {
  const clock = new ManualClock();
  const watch = new LoopWatch(clock);
  const deadlines = new Deadlines(clock, watch);
  const expired: string[] = [];
  const start = (name: string): Expiring => {
    const now = clock.monotonicMs();
    const item: Expiring = {
      deadlineAt: now + TIMEOUT,
      earlier: null,
      later: null,
      onDeadline: () => expired.push(`${name} at ${clock.monotonicMs()}`),
    };
    deadlines.add(item, now);
    return item;
  };
  return { clock, watch, deadlines, expired, start };
};

describe('a list of deadlines', () => {
  it('calls each item at its own time', async () => {
    const { clock, expired, start } = scene();
    start('a');
    await clock.advance(400);
    start('b');
    await clock.advance(10_000);
    start('c');
    await clock.advance(10_000);
    expect(expired).toEqual(['a at 1000', 'b at 1400', 'c at 11400']);
  });

  it('lets items start others while it calls them', async () => {
    const { clock, expired, start } = scene();
    const first = start('a');
    Object.assign(first, { onDeadline: () => start('b') });
    await clock.advance(5_000);
    expect(expired).toEqual(['b at 2000']);
  });

  it('calls those, and only those, that have not left, whatever the order of events', async () => {
    // Each item starts some time after the one before, and is to leave some time after its start.
    const life = fc.record({ afterMs: fc.nat(300), leavesAfterMs: fc.nat(2 * TIMEOUT) });
    await fc.assert(
      fc.asyncProperty(fc.array(life, { maxLength: 30 }), async (lives) => {
        const { clock, deadlines, expired, start } = scene();
        const due: string[] = [];
        for (const [index, { afterMs, leavesAfterMs }] of lives.entries()) {
          await clock.advance(afterMs);
          const item = start(String(index));
          if (leavesAfterMs < TIMEOUT) clock.after(leavesAfterMs, () => deadlines.remove(item));
          else due.push(`${index} at ${item.deadlineAt}`);
        }
        await clock.advance(2 * TIMEOUT);
        expect(expired).toEqual(due);
      }),
    );
  });
});

describe('the watch over the event loop', () => {
  it('counts a stall once, for those whom it cost time', async () => {
    const { clock, watch } = scene();
    const before = watch.enter(clock.monotonicMs());
    await clock.advance(100);
    clock.stall(3_000);
    const after = watch.enter(clock.monotonicMs());
    await clock.advance(100);
    expect(watch.stalledSince(before, clock.monotonicMs())).toBeGreaterThan(2_900);
    expect(watch.stalledSince(before, clock.monotonicMs())).toBeLessThanOrEqual(3_000);
    expect(watch.stalledSince(after, clock.monotonicMs())).toBe(0);
  });

  it('does not take a little lateness for a stall', async () => {
    const { clock, watch } = scene();
    const mark = watch.enter(clock.monotonicMs());
    for (let turn = 0; turn < 20; turn += 1) {
      clock.stall(40);
      await clock.advance(25);
    }
    expect(watch.stalledSince(mark, clock.monotonicMs())).toBe(0);
  });

  it('rests while nothing is in flight, which is no stall', async () => {
    const { clock, watch } = scene();
    watch.enter(clock.monotonicMs());
    watch.leave();
    await clock.advance(60_000);
    const mark = watch.enter(clock.monotonicMs());
    await clock.advance(1_000);
    expect(watch.stalledSince(mark, clock.monotonicMs())).toBe(0);
  });
});
