import { describe, expect, it } from 'vitest';
import { nothingDropped } from '../../../src/shared/domain/delivery.ts';
import type { PoolStanding, SinkView, SpoolView } from '../../../src/shared/domain/status.ts';
import { Meter } from '../../../src/shared/runtime/meter.ts';
import { SelfMonitor } from '../../../src/shared/runtime/self-monitor.ts';
import { WELL } from '../../support/alone.ts';
import { aSinkView } from '../../support/builders.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const begin = () => {
  const clock = new ManualClock();
  const meter = new Meter();
  const flow: { views: SinkView[]; spool: SpoolView | null } = { views: [], spool: null };
  const place: { standing: PoolStanding } = { standing: WELL };
  const standing = () => place.standing;
  const monitor = new SelfMonitor({ clock, meter, worker: 'w1', version: '1.2.3', flow, standing });
  const codes = () => monitor.self().findings.map((finding) => finding.code);
  return { clock, meter, flow, place, monitor, codes };
};

describe('the self report', () => {
  it('tells which process this is and how long it has run', async () => {
    const { clock, monitor } = begin();
    await clock.advance(90_000);
    expect(monitor.self()).toMatchObject({
      status: 'ok',
      findings: [],
      process: { worker: 'w1', version: '1.2.3', pid: process.pid, uptimeMs: 90_000 },
    });
  });

  it('counts every tick as run, skipped or pending', () => {
    const { meter, monitor } = begin();
    meter.counter('watcher.checks.scheduled').add(10);
    meter.counter('watcher.checks.run').add(6);
    meter.counter('watcher.checks.skipped', { reason: 'overlap' }).add(3);
    meter.gauge('watcher.checks.pending').set(1);
    expect(monitor.self()).toMatchObject({
      status: 'ok',
      checks: { scheduled: 10, run: 6, skipped: { overlap: 3, catchup: 0 }, pending: 1 },
    });
  });

  it('has no quantiles before the first run', () => {
    const { meter, monitor } = begin();
    expect(monitor.self()).toMatchObject({ lateness: null, duration: null });
    meter.histogram('watcher.check.lateness').observe(4);
    expect(monitor.self().lateness).toEqual({ p50: 5, p95: 5, p99: 5 });
  });

  it.each<[string, (meter: Meter) => void]>([
    [
      'config_errors',
      (meter) => meter.gauge('watcher.config.diagnostics', { severity: 'error' }).set(1),
    ],
    ['event_loop', (meter) => meter.gauge('watcher.event_loop.utilisation').set(0.9)],
    ['network', (meter) => meter.gauge('watcher.network.suspected').set(1)],
    ['unaccounted', (meter) => meter.gauge('watcher.checks.unaccounted').set(-1)],
    [
      'behind',
      (meter) => {
        meter.counter('watcher.checks.scheduled').add(10);
        meter.counter('watcher.checks.run').add(10);
        meter.counter('watcher.checks.late').add(1);
      },
    ],
  ])('is degraded with the finding %s', (code, cause) => {
    const { meter, monitor, codes } = begin();
    cause(meter);
    expect(monitor.self().status).toBe('degraded');
    expect(codes()).toEqual([code]);
  });

  it.each<[string, Partial<PoolStanding>, string]>([
    ['detached', { attached: false }, 'were last renewed 7.5 s ago'],
    ['store_away', { storeAway: 'no answer' }, 'the store does not answer: no answer'],
    ['not_publishing', { unpublished: 'a.yml: secret' }, ': a.yml: secret'],
  ])('is degraded with the finding %s', (code, standing, message) => {
    const { meter, place, monitor, codes } = begin();
    meter.gauge('watcher.heartbeat.age').set(7500);
    place.standing = { ...WELL, ...standing };
    expect(codes()).toEqual([code]);
    expect(monitor.self().findings[0]?.message).toContain(message);
  });

  it('tells of a store that is away once, though nothing can be published either', () => {
    const { place, codes } = begin();
    place.standing = { ...WELL, storeAway: 'no answer', unpublished: 'no answer' };
    expect(codes()).toEqual(['store_away']);
  });

  it('finds nothing wrong with a process that has no such role', () => {
    const { place, monitor } = begin();
    place.standing = { ...WELL, attached: null, leading: null };
    expect(monitor.self()).toMatchObject({ status: 'ok', pool: place.standing });
    place.standing = { ...WELL, leading: false };
    expect(monitor.self()).toMatchObject({ status: 'ok', pool: { leading: false } });
  });

  it('names the files with errors', () => {
    const { meter, monitor } = begin();
    meter.gauge('watcher.config.diagnostics', { severity: 'error' }).set(2);
    meter.observe('watcher.config.file_errors', () => [
      { labels: { file: 'a.yml', code: 'E101' }, value: 1 },
      { labels: { file: 'a.yml', code: 'E102' }, value: 1 },
    ]);
    const { config, findings } = monitor.self();
    expect(findings[0]?.message).toBe('2 errors in the spec folder: a.yml');
    expect(config.fileErrors).toEqual([
      { file: 'a.yml', code: 'E101' },
      { file: 'a.yml', code: 'E102' },
    ]);
  });

  it('names a sink that does not take results, and what waits for it', () => {
    const { flow, monitor, codes } = begin();
    flow.views = [aSinkView(), aSinkView({ sink: 'b', failing: '503', pending: 7, lagMs: 61_000 })];
    expect(codes()).toEqual(['sink_failing']);
    expect(monitor.self().findings[0]?.message).toBe('b: 503; 7 wait, the oldest for 61 s');
  });

  it('names a state folder that cannot be written to', () => {
    const { flow, monitor, codes } = begin();
    const spool = { folder: '/s', diskBytes: 0, memoryBytes: 0, damaged: 0, problem: null };
    flow.spool = spool;
    expect(codes()).toEqual([]);
    flow.spool = { ...spool, problem: 'ENOSPC' };
    expect(codes()).toEqual(['state_folder']);
    expect(monitor.self().findings[0]?.message).toContain('/s: ENOSPC');
  });

  it('forgets a loss that is more than two minutes old', async () => {
    const { clock, flow, monitor, codes } = begin();
    flow.views = [aSinkView({ dropped: { ...nothingDropped(), window: 3 } })];
    expect(monitor.self().findings[0]?.message).toBe(
      '3 results will never arrive: datadog series window 3',
    );
    await clock.advance(60_000);
    expect(codes()).toEqual(['results_lost']);
    await clock.advance(60_000);
    expect(codes()).toEqual([]);
  });
});
