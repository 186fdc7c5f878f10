import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { selfText } from '../../../src/cli/self-text.ts';
import type { SinkView, SpoolView } from '../../../src/shared/domain/status.ts';
import { Meter } from '../../../src/shared/runtime/meter.ts';
import { SelfMonitor } from '../../../src/shared/runtime/self-monitor.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const begin = () => {
  const clock = new ManualClock();
  const meter = new Meter();
  const flow: { views: SinkView[]; spool: SpoolView | null } = { views: [], spool: null };
  const monitor = new SelfMonitor({ clock, meter, worker: 'w1', version: '1.2.3', flow });
  return { clock, meter, monitor };
};

const linesOf = (monitor: SelfMonitor): string[] =>
  selfText(monitor.self(), new PassThrough()).split('\n');

describe('the self report for people', () => {
  it('accounts for every tick in one line', () => {
    const { meter, monitor } = begin();
    meter.counter('watcher.checks.scheduled').add(10);
    meter.counter('watcher.checks.run').add(6);
    meter.counter('watcher.checks.skipped', { reason: 'overlap' }).add(2);
    meter.counter('watcher.checks.skipped', { reason: 'catchup' }).add(1);
    meter.gauge('watcher.checks.pending').set(1);
    const ticks = '10 scheduled = 6 run + 3 skipped (2 overlap, 1 catchup) + 1 pending; 0 late';
    expect(linesOf(monitor)).toContain(`ticks       ${ticks}`);
  });

  it('begins with what is wrong', () => {
    const { meter, monitor } = begin();
    meter.gauge('watcher.heartbeat.age').set(7500);
    expect(linesOf(monitor).slice(0, 3)).toEqual([
      'watcher is degraded',
      '  claims_not_renewed: the claims were last renewed 7.5 s ago',
      '',
    ]);
  });

  it('is short when all is well', async () => {
    const { clock, monitor } = begin();
    await clock.advance(65_000);
    const lines = linesOf(monitor);
    expect(lines[0]).toBe('watcher is ok');
    expect(lines).toContain(`worker      w1, pid ${process.pid}, up 1 m 5 s`);
    expect(lines).toContain('lateness    no run yet');
    expect(lines).toContain('results     none yet');
  });
});
