/** deploy/local/autoscale.sh as a user runs it, with real workers; the level is the test's. */

import { mkdtempDisposable, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { startEtcd } from '../support/etcd.ts';
import { freePort } from '../support/free-ports.ts';
import { startHttpSink } from '../support/http-sink.ts';
import { PoolLedger } from '../support/pool-ledger.ts';
import { listening, outputOf, startProcess } from '../support/processes.ts';

const SCRIPT = path.resolve(import.meta.dirname, '../../deploy/local/autoscale.sh');
const PATIENTLY = { timeout: 60_000, interval: 200 };

/** As watcher's sink for CloudWatch puts it. */
async function publish(url: string, value: number, pool = 'watcher'): Promise<number> {
  const datum = {
    MetricName: 'watcher.scaling.capacity_utilization',
    Dimensions: [{ Name: 'pool', Value: pool }],
    ...{ Values: [value], Counts: [1], Unit: 'Percent' },
  };
  return call(url, 'PutMetricData', { Namespace: 'Watcher', MetricData: [datum] });
}

async function call(url: string, operation: string, body: unknown): Promise<number> {
  const headers = {
    'content-type': 'application/x-amz-json-1.0',
    'x-amz-target': `Service.${operation}`,
  };
  const { status } = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  return status;
}

describe('deploy/local/autoscale.sh', () => {
  it('keeps as many workers as the level asks for, and stops them with itself', {
    timeout: 180_000,
  }, async ({ skip }) => {
    const etcd = await startEtcd();
    skip(etcd === null, 'etcd cannot be had');
    if (etcd === null) return;
    await using _etcd = etcd;
    await using ledger = await PoolLedger.open({ endpoints: etcd.endpoints });
    await using folder = await mkdtempDisposable(path.join(tmpdir(), 'autoscale-'));
    const port = await freePort();
    const url = `http://127.0.0.1:${port}/`;
    const patience = ['--in-after', '1', '--warm-up', '1', '--min', '2', '--max', '3'];
    const place = ['--listen', `127.0.0.1:${port}`, '--logs', folder.path];
    const worker = ['--etcd', etcd.endpoints.join(','), '--zone', 'zone-{n}'];
    await using script = startProcess([SCRIPT, ...patience, ...place, '--', ...worker]);
    const lines: string[] = [];
    void (async () => {
      for await (const line of script.lines) lines.push(line);
    })();
    await listening(port, script);
    const zones = async () =>
      (await ledger.workers())
        .filter(({ state }) => state === 'up')
        .map(({ zone }) => zone)
        .toSorted();
    await expect.poll(zones, PATIENTLY).toEqual(['zone-1', 'zone-2']);

    expect(await publish(url, 140, 'another')).toBe(200);
    expect(await publish(url, 90)).toBe(200);
    await expect.poll(zones, PATIENTLY).toEqual(['zone-1', 'zone-2', 'zone-3']);

    const pids = [...lines.join('\n').matchAll(/worker-(\d) +started, process (\d+)/g)];
    process.kill(Number(pids[0]?.[2]), 'SIGKILL');
    await expect.poll(zones, PATIENTLY).toEqual(['zone-2', 'zone-3', 'zone-4']);

    await expect
      .poll(() => publish(url, 20).then(() => lines.join('\n')), PATIENTLY)
      .toMatch(/2 wanted instead of 3/);
    await expect.poll(zones, PATIENTLY).toEqual(['zone-2', 'zone-3']);

    const detail = JSON.stringify({ text: '5 jobs wait' });
    const Entries = [{ DetailType: 'Scaling Limit Hit', Detail: detail }];
    expect(await call(url, 'PutEvents', { Entries })).toBe(200);
    expect(await call(url, 'ListMetrics', {})).toBe(400);

    process.kill(script.pid, 'SIGINT');
    expect(await script.exited).toEqual({ code: 0, signal: null });
    expect(await zones()).toEqual([]);
    expect(lines.join('\n')).toMatch(/event +Scaling Limit Hit: 5 jobs wait/);
    expect(lines.join('\n')).toMatch(/worker-1 +has ended by itself: SIGKILL/);
    for (const name of ['worker-2', 'worker-3', 'worker-4'])
      expect(lines.join('\n')).toMatch(new RegExp(`${name} +has left: code 0`));
    expect(await readFile(path.join(folder.path, 'worker-2.log'), 'utf8')).not.toBe('');
  });

  it.each([
    [['--mix', '1'], /Unknown option '--mix'/],
    [['--min', '0'], /--min 0 is not a number/],
    [['--min', '3', '--max', '2'], /--max is less than --min/],
    [['--listen', '24780'], /not HOST:PORT/],
    [['--min', '1', 'worker'], /Unexpected argument 'worker'/],
  ])('refuses %j', async (args, message) => {
    await using script = startProcess([SCRIPT, ...args]);
    expect(await script.exited).toEqual({ code: 1, signal: null });
    expect(script.stderr()).toMatch(message);
  });

  it('says so when its port is taken', async () => {
    const port = await freePort();
    await using _first = await startHttpSink({ port });
    await using script = startProcess([SCRIPT, '--listen', `127.0.0.1:${port}`]);
    expect(await script.exited).toEqual({ code: 1, signal: null });
    expect(script.stderr()).toMatch(/EADDRINUSE/);
  });

  it('explains itself', async () => {
    expect(await outputOf([SCRIPT, '--help'])).toMatch(/--target PERCENT.*AWS_ENDPOINT_URL=/s);
  });
});
