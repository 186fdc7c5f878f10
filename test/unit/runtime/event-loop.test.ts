import { describe, expect, it } from 'vitest';
import { EventLoopMonitor } from '../../../src/shared/runtime/event-loop.ts';
import { Meter } from '../../../src/shared/runtime/meter.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const begin = () => {
  const clock = new ManualClock();
  const meter = new Meter();
  const blocked: number[] = [];
  const monitor = new EventLoopMonitor({ clock, meter, onBlocked: (ms) => blocked.push(ms) });
  return { clock, meter, blocked, monitor };
};

describe('the event loop monitor', () => {
  it('tells how late its timer came, which is how long the loop was blocked at least', async () => {
    const { clock, meter, blocked, monitor } = begin();
    await clock.advance(1000);
    clock.stall(750);
    await clock.advance(1000);
    monitor[Symbol.dispose]();
    expect(blocked).toEqual([650]);
    expect(meter.total('watcher.event_loop.blocked')).toBe(650);
  });

  it('says nothing of a pause as garbage collection makes it', async () => {
    const { clock, blocked, monitor } = begin();
    clock.stall(190);
    await clock.advance(1000);
    monitor[Symbol.dispose]();
    expect(blocked).toEqual([]);
  });

  it('measures the real loop a window at a time', async () => {
    const { clock, meter, monitor } = begin();
    expect(meter.total('watcher.event_loop.utilisation')).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await clock.advance(10_000);
    monitor[Symbol.dispose]();
    const utilisation = meter.total('watcher.event_loop.utilisation');
    expect(utilisation).toBeGreaterThan(0);
    expect(utilisation).toBeLessThanOrEqual(1);
    expect(meter.samples('watcher.event_loop.delay').map((sample) => sample.labels)).toEqual([
      { stat: 'p50' },
      { stat: 'p99' },
      { stat: 'max' },
    ]);
  });

  it('sets no timer any more once it is disposed of', async () => {
    const { clock, blocked, monitor } = begin();
    monitor[Symbol.dispose]();
    clock.stall(5000);
    await clock.advance(5000);
    expect(blocked).toEqual([]);
  });
});
