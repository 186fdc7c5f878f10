import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { selfText } from '../../../src/cli/self-text.ts';
import type { PoolStanding, SinkView, SpoolView } from '../../../src/shared/domain/status.ts';
import { Meter } from '../../../src/shared/runtime/meter.ts';
import { SelfMonitor } from '../../../src/shared/runtime/self-monitor.ts';
import { WELL } from '../../support/alone.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const begin = () => {
  const clock = new ManualClock();
  const meter = new Meter();
  const flow: { views: SinkView[]; spool: SpoolView | null } = { views: [], spool: null };
  const place: { standing: PoolStanding } = { standing: WELL };
  const standing = () => place.standing;
  const monitor = new SelfMonitor({ clock, meter, worker: 'w1', version: '1.2.3', flow, standing });
  return { clock, meter, place, monitor };
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
    const { place, monitor } = begin();
    place.standing = { ...WELL, storeAway: 'no answer' };
    expect(linesOf(monitor).slice(0, 3)).toEqual([
      'watcher is degraded',
      '  store_away: the store does not answer: no answer',
      '',
    ]);
  });

  it.each<[Partial<PoolStanding>, string]>([
    [{}, 'attached, leads'],
    [{ attached: false, leading: null }, 'detached'],
    [{ attached: null, leading: false }, 'stands by'],
  ])('tells of the place in the pool: %j', (standing, text) => {
    const { place, monitor } = begin();
    place.standing = { ...WELL, ...standing };
    expect(linesOf(monitor)).toContain(`pool        ${text}`);
  });

  it('is short when all is well', async () => {
    const { clock, monitor } = begin();
    await clock.advance(65_000);
    const lines = linesOf(monitor);
    expect(lines[0]).toBe('watcher is ok');
    expect(lines).toContain(`process     w1, pid ${process.pid}, up 1 m 5 s`);
    expect(lines).toContain('lateness    no run yet');
    expect(lines).toContain('results     none yet');
  });
});
