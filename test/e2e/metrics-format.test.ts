import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { Exposition } from '../../src/shared/runtime/exposition.ts';
import { Meter } from '../../src/shared/runtime/meter.ts';
import { programOf } from '../support/debian-packages.ts';

const promtool = await programOf('promtool');

/** What Prometheus' own checker says of it, and its exit code. */
const checked = async (metrics: string) => {
  const child = spawn(promtool?.file ?? '', ['check', 'metrics'], {
    env: { ...process.env, ...promtool?.env },
  });
  child.stdin.end(metrics);
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  return { code, stderr };
};

const aBusyMeter = (): Meter => {
  const meter = new Meter();
  meter.histogram('watcher.check.duration').observe(12);
  meter.counter('watcher.sink.delivered', { sink: 'jsonl' }).add(3);
  meter.observe('watcher.config.file_errors', () => [
    { labels: { file: 'a "b"\n\\c.yml', code: 'E101' }, value: 1 },
  ]);
  meter.observe('watcher.process', () => [
    { labels: { version: '1.0.0', node: 'v24.0.0', worker: 'w1' }, value: 1 },
  ]);
  return meter;
};

describe.skipIf(promtool === null)("Prometheus' own checker", () => {
  it('has nothing to say about /metrics', async () => {
    const metrics = await new Exposition(aBusyMeter()).text();
    expect(await checked(metrics)).toEqual({ code: 0, stderr: '' });
  });

  it('would have something to say about a counter without _total', async () => {
    const metrics = '# HELP watcher_runs Runs\n# TYPE watcher_runs counter\nwatcher_runs 1\n';
    expect((await checked(metrics)).code).not.toBe(0);
  });
});
