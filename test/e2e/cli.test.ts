import { once } from 'node:events';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { CheckView, PoolStanding, ReloadReport } from '../../src/shared/domain/status.ts';
import { reloadRoute, selfRoute, statusRoute } from '../../src/shared/http/routes.ts';
import { startHttpServer } from '../../src/shared/http/server.ts';
import { systemClock } from '../../src/shared/runtime/clock.ts';
import { silentLog } from '../../src/shared/runtime/log.ts';
import { Meter } from '../../src/shared/runtime/meter.ts';
import { SelfMonitor } from '../../src/shared/runtime/self-monitor.ts';
import { WELL } from '../support/alone.ts';
import { noFlow } from '../support/builders.ts';
import { watcher } from '../support/cli.ts';
import { aView, sourceOf } from '../support/views.ts';

interface Running {
  readonly views?: readonly CheckView[];
  readonly reload?: Partial<ReloadReport>;
  readonly standing?: Partial<PoolStanding>;
  readonly token?: string;
}

/** What the commands ask, with answers that a test chooses. */
const aWatcher = async ({ views = [], reload = {}, standing = {}, token }: Running = {}) => {
  const meter = new Meter();
  const self = new SelfMonitor({
    clock: systemClock,
    meter,
    worker: 'w1',
    version: '1.2.3',
    flow: noFlow,
    standing: () => ({ ...WELL, ...standing }),
  });
  const server = await startHttpServer({
    listen: { host: '127.0.0.1', port: 0 },
    log: silentLog,
    clock: systemClock,
    routes: [
      statusRoute(sourceOf(views)),
      selfRoute(self),
      reloadRoute(async (confirm) => ({
        checks: 5,
        errors: 0,
        warnings: 1,
        held: 0,
        waitingMs: null,
        ...(confirm ? {} : reload),
      })),
    ],
    ...(token === undefined ? {} : { token }),
  });
  return {
    args: (...args: readonly string[]) => [...args, '--address', server.url],
    [Symbol.asyncDispose]: async () => {
      self[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    },
  };
};

describe('the command line', () => {
  it.each([
    [['--help'], 0],
    [['status', '--help'], 0],
    [['version'], 0],
    [[], 2],
    [['frobnicate'], 2],
    [['self', '--frobnicate'], 2],
    [['status', 'a', 'b'], 2],
    [['status', '--status', 'sick'], 2],
    [['self', '--address', 'http://'], 2],
  ])('watcher %j ends with %i', async (args, code) => {
    expect((await watcher(args)).code).toBe(code);
  });

  it('has help with examples for every command that it lists', async () => {
    const { stdout } = await watcher(['--help']);
    const listed = stdout.split('Commands:')[1]?.split('Examples:')[0] ?? '';
    const names = [...listed.matchAll(/^ {2}([a-z]+) /gm)].map((match) => match[1] ?? '');
    expect(names).toEqual(expect.arrayContaining(['status', 'self', 'reload', 'version']));
    for (const name of names) {
      const { code, stdout: help } = await watcher([name, '--help']);
      expect(code).toBe(0);
      // What `schema` prints is JSON already.
      if (name !== 'schema') expect(help).toMatch(/--json /);
    }
  });

  it('says that a mode is not supported, and which command was meant', async () => {
    const { code, stderr } = await watcher(['sttus']);
    expect(code).toBe(2);
    expect(stderr).toContain("mode not supported: 'sttus'");
    expect(stderr).toContain('Did you mean status?');
  });

  it('prints versions as text and JSON', async () => {
    const { stdout } = await watcher(['version', '--json']);
    const versions = JSON.parse(stdout);
    expect(versions.node).toBe(process.versions.node);
    expect((await watcher(['version'])).stdout).toBe(
      `watcher ${versions.watcher} on Node ${versions.node}`,
    );
  });

  it('does nothing where TLS verification is switched off for everything', async () => {
    const { code, stdout, stderr } = await watcher(['version'], {
      env: { NODE_TLS_REJECT_UNAUTHORIZED: '0' },
    });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('NODE_TLS_REJECT_UNAUTHORIZED=0');
  });
});

describe('a command that asks a running watcher', () => {
  it.each(['status', 'self', 'scaling', 'reload'])(
    '%s ends with 4 when nobody answers',
    async (command) => {
      const { code, stdout, stderr } = await watcher([command, '--address', 'http://127.0.0.1:1']);
      expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
      expect(stderr).toMatch(/^watcher: no watcher answers at http:\/\/127\.0\.0\.1:1; .*\n$/);
    },
  );

  it('does not send its token in the clear to another machine', async () => {
    const args = ['self', '--address', 'http://192.0.2.1:9464'];
    const { code, stderr } = await watcher(args, { env: { WATCHER_TOKEN: 'secret-token' } });
    expect(code).toBe(2);
    expect(stderr).toContain('not sent to http://192.0.2.1:9464');
  });

  it('ends with 4 when what answers is not watcher', async () => {
    const server = createServer((socket) => socket.end('220 mail ready\r\n')).listen(
      0,
      '127.0.0.1',
    );
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    expect((await watcher(['self', '--address', `127.0.0.1:${port}`])).code).toBe(4);
    server.close();
  });

  it('takes the address and the token from the environment', async () => {
    await using running = await aWatcher({ token: 'secret-token' });
    const [, , address = ''] = running.args('self');
    const env = { WATCHER_ADDRESS: address };
    expect((await watcher(['self'], { env })).code).toBe(2);
    const right = { ...env, WATCHER_TOKEN: 'secret-token' };
    expect(await watcher(['self'], { env: right })).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('watcher status', () => {
  const critical = aView({ check: 'b/down', status: 'critical', reason: 'HTTP status 503' });
  const ok = aView({ check: 'a/up', lateness: { p50: 1, p95: 2, p99: 4 } });
  const unknown = aView({ check: 'c/blind', status: 'unknown' });

  it.each([
    ['nothing', [], 0],
    ['an ok check', [ok], 0],
    ['a pending one', [aView({ status: 'pending' })], 0],
    ['an unknown one', [ok, unknown], 5],
    ['a critical one', [ok, unknown, critical], 1],
    ['a warning', [aView({ status: 'warning' })], 1],
  ])('of %s ends with its own exit code', async (_, views, code) => {
    await using running = await aWatcher({ views });
    expect((await watcher(running.args('status', '--json'))).code).toBe(code);
  });

  it('prints the worst first, with the quantiles of the lateness', async () => {
    await using running = await aWatcher({ views: [ok, critical] });
    const { stdout } = await watcher(running.args('status'));
    const lines = stdout.split('\n');
    expect(lines[0]).toBe('1 critical, 1 ok');
    expect(lines[2]).toMatch(/^STATUS +CHECK +LAST +LATE p50\/p95\/p99 +NEXT +REASON$/);
    expect(lines[3]).toMatch(/^critical +b\/down .* HTTP status 503$/);
    expect(lines[4]).toMatch(/^ok +a\/up +12 ms +1\.0 ms \/ 2\.0 ms \/ 4\.0 ms/);
  });

  it('prints the same as one JSON object', async () => {
    await using running = await aWatcher({ views: [ok, critical] });
    const { stdout } = await watcher(running.args('status', '--json'));
    expect(JSON.parse(stdout)).toEqual({
      summary: { critical: 1, unknown: 0, warning: 0, pending: 0, ok: 1 },
      checks: [critical, ok],
    });
  });

  it('asks for as many pages as there are', async () => {
    const views = Array.from({ length: 2001 }, (_, n) => aView({ check: `c${n}` }));
    await using running = await aWatcher({ views });
    const { stdout } = await watcher(running.args('status', '--json'));
    expect(JSON.parse(stdout).checks).toHaveLength(2001);
  });

  it('shows one check by its key, and says when there is none', async () => {
    await using running = await aWatcher({ views: [ok, critical] });
    const { stdout, code } = await watcher(running.args('status', 'a/up', '--json'));
    expect(code).toBe(0);
    expect(JSON.parse(stdout).checks).toEqual([ok]);
    const none = await watcher(running.args('status', 'z/z'));
    expect(none).toMatchObject({ code: 2, stderr: 'watcher: no check is named z/z\n' });
  });

  it('shows only checks of one status', async () => {
    await using running = await aWatcher({ views: [ok, critical] });
    const { stdout } = await watcher(running.args('status', '--status', 'ok', '--json'));
    expect(JSON.parse(stdout).checks).toEqual([ok]);
  });
});

describe('watcher fmt', () => {
  it('prints a JSON object a file', async () => {
    await using folder = await mkdtempDisposable(path.join(tmpdir(), 'fmt-'));
    const [loose, broken] = ['a.yml', 'b.yml'].map((name) => path.join(folder.path, name));
    await writeFile(loose ?? '', 'a.example/x:   {cron_schedule: "* * * * *"}\n');
    await writeFile(broken ?? '', 'a: [');
    const { code, stdout } = await watcher(['fmt', '--json', folder.path]);
    expect(code).toBe(1);
    expect(stdout.split('\n').map((line) => JSON.parse(line))).toEqual([
      {
        file: loose,
        canonical: false,
        text: expect.stringMatching(/^a\.example/),
        diagnostics: [],
      },
      {
        file: broken,
        canonical: false,
        text: null,
        diagnostics: [expect.objectContaining({ code: 'E401' })],
      },
    ]);
  });
});

describe('watcher self', () => {
  it('ends with 0 when watcher is well and with 1 when it is degraded', async () => {
    await using running = await aWatcher();
    const well = await watcher(running.args('self'));
    expect(well).toMatchObject({ code: 0, stdout: expect.stringMatching(/^watcher is ok\n/) });
    await using detached = await aWatcher({ standing: { attached: false } });
    const degraded = await watcher(detached.args('self'));
    expect(degraded.code).toBe(1);
    expect(degraded.stdout).toMatch(/^watcher is degraded\n {2}detached: /);
  });

  it('prints the report as one JSON object', async () => {
    await using running = await aWatcher();
    const { stdout } = await watcher(running.args('self', '--json'));
    expect(JSON.parse(stdout)).toMatchObject({ status: 'ok', process: { worker: 'w1' } });
  });
});

describe('watcher reload', () => {
  it.each<[Partial<ReloadReport>, string, number, string]>([
    [{}, '', 0, '5 checks, 0 errors, 1 warning'],
    [{ errors: 2 }, '', 1, '5 checks, 2 errors, 1 warning'],
    [
      { held: 20 },
      '',
      5,
      '5 checks, 0 errors, 1 warning\n20 vanished checks kept; --confirm lets them go',
    ],
    [
      { waitingMs: 252_000 },
      '',
      5,
      '5 checks, 0 errors, 1 warning\nthe folder is not what the last leading admin had: it counts in 4 m 12 s, when it changes, or with --confirm',
    ],
    [{ held: 20 }, '--confirm', 0, '5 checks, 0 errors, 1 warning'],
  ])('of %j %s ends with %i', async (report, flag, code, stdout) => {
    await using running = await aWatcher({ reload: report });
    const args = flag === '' ? ['reload'] : ['reload', flag];
    expect(await watcher(running.args(...args))).toEqual({ code, stdout, stderr: '' });
  });
});
