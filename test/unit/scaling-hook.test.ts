/** The hook of the settings: real shells and real requests, once an episode. */

import { mkdtempDisposable, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ScalingHook } from '../../src/scaling-hook.ts';
import type { ScalingEvent } from '../../src/shared/domain/delivery.ts';
import { scalingBody } from '../../src/shared/rules/scaling-text.ts';
import { type Clock, isoTime, systemClock } from '../../src/shared/runtime/clock.ts';
import { type LogFields, silentLog } from '../../src/shared/runtime/log.ts';
import { Meter } from '../../src/shared/runtime/meter.ts';
import { createSecrets } from '../../src/shared/secrets/resolve.ts';
import { createHttpTransport } from '../../src/shared/sinks/http/undici-transport.ts';
import { aScalingEmission } from '../support/builders.ts';
import { startHttpSink } from '../support/http-sink.ts';
import { ManualClock } from '../support/manual-clock.ts';

const EVENT = aScalingEmission().event as ScalingEvent;
const BODY = scalingBody('p', EVENT, isoTime);

let folder: Awaited<ReturnType<typeof mkdtempDisposable>>;
beforeEach(async () => {
  folder = await mkdtempDisposable(path.join(tmpdir(), 'watcher-hook-'));
});
afterEach(() => folder.remove());

const inFolder = (name: string): string => path.join(folder.path, name);
const written = (name: string): Promise<string> => readFile(inFolder(name), 'utf8');

interface Given {
  readonly command?: string;
  readonly webhook?: string;
  readonly clock?: Clock;
  readonly env?: Readonly<Record<string, string>>;
}

const aHook = ({ command, webhook, clock = systemClock, env = process.env as never }: Given) => {
  const meter = new Meter();
  const failures: LogFields[] = [];
  const log = { ...silentLog, error: (_: string, fields = {}) => failures.push(fields) };
  const hook = new ScalingHook({
    clock,
    log,
    meter,
    settings: { pool: 'p', command: command ?? null, webhook: webhook ?? null },
    env,
    secrets: createSecrets({ clock, env }),
    http: createHttpTransport({ clock, connectTo: () => null }),
    redact: (text) => text.replaceAll('hunter2', '[redacted]'),
  });
  const counts = () =>
    Object.fromEntries(
      meter.samples('watcher.scaling.hooks').map(({ labels, value }) => [labels['outcome'], value]),
    );
  /** Ends it, so that what it has begun is over. */
  const end = () => hook[Symbol.asyncDispose]();
  return { hook, failures, counts, end };
};

/** `Z`: it has ended, and nobody has asked what became of it. */
const stateOf = async (pid: number): Promise<string> => {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return /\) (\w)/.exec(stat)?.[1] ?? 'gone';
};

describe('a command', () => {
  it('is told in variables and on its standard input, and of nothing that may be secret', async () => {
    const env = { PATH: process.env['PATH'] ?? '', HOME: '/home/w', DD_API_KEY: 'hunter2' };
    const command = `cat > ${inFolder('stdin')}; env | sort > ${inFolder('env')}`;
    const { hook, counts, failures, end } = aHook({ command, env });
    hook.run(EVENT);
    await end();
    expect(JSON.parse(await written('stdin'))).toEqual(BODY);
    const variables = (await written('env'))
      .split('\n')
      .filter((line) => /SCALING|HOME|KEY/.test(line));
    expect(variables).toEqual([
      'HOME=/home/w',
      'WATCHER_SCALING_DESIRED_WORKERS=3',
      'WATCHER_SCALING_EPISODE=e1',
      'WATCHER_SCALING_MISSING_WORKERS=1',
      'WATCHER_SCALING_POOL=p',
      'WATCHER_SCALING_RAISED_AT=2026-01-01T00:00:00.000Z',
      'WATCHER_SCALING_WAITING_JOBS=5',
      'WATCHER_SCALING_WORKERS=2',
    ]);
    expect(counts()).toEqual({ ok: 1, failed: 0 });
    expect(failures).toEqual([]);
  });

  it.each([
    ['exit 3', 'it ended with exit code 3'],
    ['kill -9 $$', 'it ended with SIGKILL'],
    ['true \0', expect.stringContaining('null bytes')],
    ['no-such-program-there-is 2>/dev/null', 'it ended with exit code 127'],
  ])('that fails is logged and counted: %s', async (command, reason) => {
    const { hook, counts, failures, end } = aHook({ command });
    hook.run(EVENT);
    await end();
    expect(failures).toEqual([{ hook: 'command', episode: 'e1', reason }]);
    expect(counts()).toEqual({ ok: 0, failed: 1 });
  });

  it('may leave its standard input unread', async () => {
    const { hook, counts, end } = aHook({ command: 'exec 0<&-; true' });
    hook.run({ ...EVENT, jobs: Array.from({ length: 100 }, () => 'x'.repeat(10_000)) });
    await end();
    expect(counts()).toEqual({ ok: 1, failed: 0 });
  });

  it('that does not end is ended after half a minute, with all that it has started', async () => {
    const clock = new ManualClock();
    const stubborn = `sh -c 'trap "" TERM; echo $$ > ${inFolder('pid')}; sleep 600; sleep 600'`;
    const command = `${stubborn} & wait`;
    const { hook, counts, failures, end } = aHook({ command, clock });
    hook.run(EVENT);
    const pid = await vi.waitFor(async () => {
      const text = await written('pid');
      expect(text).toMatch(/^\d+\n$/);
      return Number(text);
    }, 10_000);
    await clock.advance(29_000);
    expect(counts()).toEqual({ ok: 0, failed: 0 });
    await clock.advance(1_000);
    expect(failures).toMatchObject([{ reason: 'it took longer than 30 s' }]);
    await clock.advance(2_000);
    await vi.waitFor(async () => expect(await stateOf(pid)).toMatch(/^(gone|Z)$/), 5_000);
    await clock.until(end());
  });
});

describe('a webhook', () => {
  it('is posted to once, with a key by which a repeat is known', async () => {
    await using sink = await startHttpSink();
    const { hook, counts, end } = aHook({ webhook: `${sink.url}/scale` });
    hook.run(EVENT);
    await end();
    expect(sink.requests).toHaveLength(1);
    const [request] = sink.requests;
    expect(request).toMatchObject({ method: 'POST', path: '/scale' });
    expect(request?.headers).toMatchObject({
      'content-type': 'application/json',
      'idempotency-key': 'e1:raised',
    });
    expect(request?.json).toEqual(BODY);
    expect(counts()).toEqual({ ok: 1, failed: 0 });
  });

  /** In whose pauses no time passes. */
  const hasty: Clock = { ...systemClock, sleep: async () => {} };
  const POLITE = { status: 503, body: '{}' };

  it.each([
    ['an answer that passes', [POLITE, 'reset'], 3, { ok: 1, failed: 0 }],
    ['no good answer at all', [POLITE, POLITE, POLITE, POLITE], 3, { ok: 0, failed: 1 }],
    ['a refusal', [{ status: 403, body: 'hunter2' }], 1, { ok: 0, failed: 1 }],
  ] as const)('gets three attempts at most: %s', async (_, answers, requests, expected) => {
    await using sink = await startHttpSink();
    sink.next(...answers);
    const { hook, counts, failures, end } = aHook({ webhook: sink.url, clock: hasty });
    hook.run(EVENT);
    await vi.waitFor(() => expect(counts()).toEqual(expected), 5_000);
    expect(sink.requests).toHaveLength(requests);
    expect(JSON.stringify(failures)).not.toContain('hunter2');
    await end();
  });

  it('may stand in a reference, and fails when that cannot be read', async () => {
    await using sink = await startHttpSink();
    const { hook, counts, end } = aHook({ webhook: '${env:HOOK}', env: { HOOK: sink.url } });
    hook.run(EVENT);
    await end();
    expect(sink.requests).toHaveLength(1);
    expect(counts()).toEqual({ ok: 1, failed: 0 });
    const lost = aHook({ webhook: '${env:NO_HOOK}', env: {} });
    lost.hook.run(EVENT);
    await lost.end();
    expect(lost.failures).toMatchObject([{ reason: expect.stringContaining('NO_HOOK') }]);
    expect(lost.counts()).toEqual({ ok: 0, failed: 1 });
  });

  it('does nothing where neither is set', async () => {
    const { hook, counts, end } = aHook({});
    hook.run(EVENT);
    await end();
    expect(counts()).toEqual({ ok: 0, failed: 0 });
  });
});
