import { once } from 'node:events';
import { mkdtempDisposable, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCommand, watcher } from '../support/cli.ts';
import { type RunningProcess, startProcess } from '../support/processes.ts';
import { SOURCE_COMMAND } from '../support/watcher-process.ts';

/** A loaded machine is slow; nothing here is judged by how long it takes. */
const PATIENTLY = { timeout: 10_000 };

/** What a result line says, as far as these tests ask. */
interface Line {
  readonly check: string;
  readonly status: string;
  readonly reason: string | null;
}

let target: Server;
let host: string;
/** Requests to /held wait here until a test answers them. */
const held: ServerResponse[] = [];

beforeAll(async () => {
  target = createServer((request, response) => {
    if (request.url === '/held') {
      held.push(response);
      target.emit('held');
    } else if (request.url === '/down') response.writeHead(503).end('{"status":"down"}');
    else response.end('{"status":"ok"}');
  }).listen(0, '127.0.0.1');
  await once(target, 'listening');
  host = `127.0.0.1:${(target.address() as AddressInfo).port}`;
});
afterAll(() => {
  target.closeAllConnections();
  target.close();
});

/** Once a year: what runs is the run at start, and nothing comes in between. */
const checkOf = (route: string, cron = '0 0 1 1 *'): string =>
  `${host}${route}:\n  cron_schedule: "${cron}"\n  scheme: http\n`;

/** A folder with these files. */
const folderOf = async (files: Readonly<Record<string, string>>) => {
  const folder = await mkdtempDisposable(path.join(tmpdir(), 'checks-'));
  const write = (name: string, text: string) => writeFile(path.join(folder.path, name), text);
  for (const [name, text] of Object.entries(files)) await write(name, text);
  return {
    path: folder.path,
    write,
    remove: (name: string) => rm(path.join(folder.path, name)),
    [Symbol.asyncDispose]: () => folder.remove(),
  };
};

const run = (folder: string, ...args: readonly string[]): RunningProcess =>
  startCommand(['run', '--config', folder, '--listen', '127.0.0.1:0', ...args]);

const nextResult = async (
  child: RunningProcess,
  wanted: (line: Line) => boolean,
): Promise<Line> => {
  for (;;) {
    const { value, done } = await child.lines.next();
    if (done) throw new Error(`no such result: ${child.stderr()}`);
    const line = JSON.parse(value) as Line;
    if (wanted(line)) return line;
  }
};

const of = (route: string) => (line: Line) => line.check === `${host}${route}`;

/** Where it says that it answers; known with its first result. */
const addressOf = (child: RunningProcess): string =>
  /answers at (http:\S+)/.exec(child.stderr())?.[1] ?? '';

const metric = async (child: RunningProcess, series: string): Promise<string | undefined> => {
  const text = await (await fetch(`${addressOf(child)}/metrics`)).text();
  return text.split('\n').find((line) => line.startsWith(series));
};

describe('watcher run', () => {
  it('writes a JSON line for each result, and nothing else, on stdout', async () => {
    await using folder = await folderOf({ 'a.yml': checkOf('/up') + checkOf('/down') });
    await using child = run(folder.path);
    const lines = [await nextResult(child, () => true), await nextResult(child, () => true)];
    expect(lines.toSorted((a, b) => (a.check < b.check ? -1 : 1))).toMatchObject([
      { check: `${host}/down`, status: 'critical', reason: expect.stringContaining('503') },
      { check: `${host}/up`, status: 'ok', reason: null, lateness_ms: expect.any(Number) },
    ]);
  });

  it('answers the commands while it runs', async () => {
    await using folder = await folderOf({ 'a.yml': checkOf('/down') });
    await using child = run(folder.path);
    await nextResult(child, of('/down'));
    const address = ['--address', addressOf(child)];
    const status = await watcher(['status', '--json', ...address]);
    expect(status.code).toBe(1);
    expect(JSON.parse(status.stdout).checks).toMatchObject([{ status: 'critical', runs: 1 }]);
    expect(await watcher(['self', ...address])).toMatchObject({ code: 0 });
    const reload = await watcher(['reload', '--json', ...address]);
    expect(JSON.parse(reload.stdout)).toMatchObject({ checks: 1, errors: 0, warnings: 0, held: 0 });
    const health = await fetch(`${addressOf(child)}/healthz`);
    expect({ status: health.status, body: await health.json() }).toMatchObject({
      status: 200,
      body: { status: 'ok' },
    });
  });

  it('runs the check of a new file, forgets that of a deleted one, and restarts nothing', async () => {
    await using folder = await folderOf({ 'a.yml': checkOf('/up') });
    await using child = run(folder.path);
    await nextResult(child, of('/up'));
    await folder.write('b.yml', checkOf('/down'));
    await nextResult(child, of('/down'));
    await folder.remove('b.yml');
    await expect
      .poll(() => metric(child, 'watcher_checks_held '), PATIENTLY)
      .toBe('watcher_checks_held 1');
    expect(await metric(child, 'watcher_config_files ')).toBe('watcher_config_files 1');
  });

  it('runs the good files beside a broken one, and counts its errors until it is mended', async () => {
    await using folder = await folderOf({
      'bad.yml': 'no check: [',
      'good.yml': checkOf('/up'),
    });
    await using child = run(folder.path);
    await nextResult(child, of('/up'));
    const series = `watcher_config_file_errors{file="${folder.path}/bad.yml"`;
    expect(child.stderr()).toContain(
      `1 file with errors; to see them:  watcher validate ${folder.path}`,
    );
    expect(await metric(child, series)).toMatch(/ 1$/);
    const { code, stdout } = await watcher(['self', '--address', addressOf(child)]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/config_errors: .*bad\.yml/);
    await folder.write('bad.yml', checkOf('/down'));
    await nextResult(child, of('/down'));
    expect(await metric(child, series)).toBeUndefined();
  });

  it('reads the folder again on SIGHUP', async () => {
    await using folder = await folderOf({ 'a.yml': checkOf('/up') });
    await using child = run(folder.path);
    await nextResult(child, of('/up'));
    process.kill(child.pid, 'SIGHUP');
    await expect
      .poll(() => child.stderr())
      .toMatch(/"checks":1,.*"msg":"SIGHUP: folder read again"/);
    await folder.write('b.yml', checkOf('/down'));
    process.kill(child.pid, 'SIGHUP');
    await nextResult(child, of('/down'));
    expect(await metric(child, 'watcher_checks_held ')).toBe('watcher_checks_held 2');
  });

  it('ends a run in flight on SIGTERM, writes its result, and ends with 0', async () => {
    await using folder = await folderOf({ 'a.yml': checkOf('/held') });
    await using child = run(folder.path);
    await once(target, 'held');
    process.kill(child.pid, 'SIGTERM');
    await expect.poll(() => child.stderr(), PATIENTLY).toContain('SIGTERM: stopping');
    held.pop()?.end('{"status":"ok"}');
    expect(await nextResult(child, of('/held'))).toMatchObject({ status: 'ok' });
    expect(await child.exited).toEqual({ code: 0, signal: null });
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('stops at once on a second %s, with %i', async (signal, code) => {
    await using folder = await folderOf({ 'a.yml': checkOf('/held') });
    await using child = run(folder.path);
    await once(target, 'held');
    process.kill(child.pid, signal);
    await expect.poll(() => child.stderr(), PATIENTLY).toContain(`${signal}: stopping`);
    process.kill(child.pid, signal);
    expect(await child.exited).toEqual({ code, signal: null });
  });

  it('ends without a word when nobody reads its results any more', async () => {
    await using folder = await folderOf({ 'a.yml': checkOf('/up', '* * * * * *') });
    const command = `"$@" run --config '${folder.path}' --listen 127.0.0.1:0 | head -n 1`;
    await using shell = startProcess(['sh', '-c', command, '--', ...SOURCE_COMMAND]);
    const { value } = await shell.lines.next();
    expect(JSON.parse(value)).toMatchObject({ check: `${host}/up` });
    await shell.exited;
    expect(shell.stderr()).not.toMatch(/EPIPE|rror/);
  });

  it('checks a URL without any file', async () => {
    await using child = startCommand(['run', `http://${host}/up?a=1`, '--listen', '127.0.0.1:0']);
    expect(await nextResult(child, () => true)).toMatchObject({
      check: `${host}/up?a=1`,
      status: 'ok',
    });
  });

  it('runs only the checks of the folder that are named', async () => {
    await using folder = await folderOf({ 'a.yml': checkOf('/up') + checkOf('/down') });
    await using child = run(folder.path, `${host}/down`);
    await nextResult(child, of('/down'));
    expect(await metric(child, 'watcher_checks_held ')).toBe('watcher_checks_held 1');
  });

  it('stops by itself after a set time', async () => {
    await using folder = await folderOf({ 'a.yml': checkOf('/up') });
    const args = ['run', '--config', folder.path, '--listen', '127.0.0.1:0', '--for', '1s'];
    const { code, stdout } = await watcher(args);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ status: 'ok' });
  });

  it('logs to a file where LOG_DIR names a folder', async () => {
    await using folder = await folderOf({ 'a.yml': checkOf('/up') });
    const args = ['run', '--config', folder.path, '--listen', '127.0.0.1:0'];
    await using child = startCommand(args, { env: { LOG_DIR: path.join(folder.path, 'logs') } });
    await nextResult(child, of('/up'));
    await child.stop();
    const text = await readFile(path.join(folder.path, 'logs/watcher.log'), 'utf8');
    expect(text).toContain('"msg":"SIGTERM: stopping');
    expect(child.stderr()).not.toContain('SIGTERM');
  });

  it('has something to show on a machine where nothing else runs', async () => {
    await using child = startCommand(['run', '--demo']);
    const statuses = new Map<string, string>();
    while (statuses.size < 5) {
      const { check, status } = await nextResult(child, () => true);
      statuses.set(check, status);
    }
    expect(Object.fromEntries(statuses)).toMatchObject({
      'demo.watcher.test/healthy': 'ok',
      'demo.watcher.test/slow': 'critical',
      'demo.watcher.test/broken': 'critical',
      'localhost:9464/healthz': 'ok',
    });
    expect(child.stderr()).toContain('npm start -- https://example.com');
  });

  it.each([
    [['--listen', '0.0.0.0:9464'], /listen: 0\.0\.0\.0:9464 .*TLS and a token/],
    [['--listen', 'nonsense'], /listen: 'nonsense' is not HOST:PORT/],
    [['--concurrency', '0'], /whole number from 1/],
    [['--for', '5 minutes'], /30s/],
    [['--connect-to', 'a:b'], /--connect-to/],
    [['nobody.example/health'], /no check is named nobody\.example\/health/],
  ])('refuses %j', async (args, message) => {
    await using folder = await folderOf({ 'a.yml': checkOf('/up') });
    const { code, stdout, stderr } = await watcher(['run', '--config', folder.path, ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });

  it('refuses a folder that is not there, and says what to do', async () => {
    const { code, stderr } = await watcher(['run', '--config', '/nowhere/at/all']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/no folder \/nowhere\/at\/all; make it .* --config/);
  });

  it('waits for the first file of an empty folder, and says so', async () => {
    await using folder = await folderOf({});
    await using child = run(folder.path);
    await expect.poll(() => child.stderr(), PATIENTLY).toContain('has no *.yml file yet');
    await folder.write('a.yml', checkOf('/up'));
    await nextResult(child, of('/up'));
  });
});

describe('watcher once', () => {
  it.each([
    ['/up', 0, 'ok'],
    ['/down', 1, 'critical'],
  ])('of a check of %s ends with %i', async (route, code, status) => {
    const outcome = await watcher(['once', '--json', `http://${host}${route}`]);
    expect(outcome).toMatchObject({ code, stderr: '' });
    expect(JSON.parse(outcome.stdout)).toMatchObject({ check: `${host}${route}`, status });
  });

  it('prints the worst first', async () => {
    await using folder = await folderOf({ 'a.yml': checkOf('/up') + checkOf('/down') });
    const { code, stdout } = await watcher(['once', '--config', folder.path]);
    expect(code).toBe(1);
    expect(stdout.split('\n').map((line) => line.split(/\s+/).slice(0, 2))).toEqual([
      ['STATUS', 'CHECK'],
      ['critical', `${host}/down`],
      ['ok', `${host}/up`],
    ]);
  });

  it('ends with 1 when a file is bad, although every check is ok', async () => {
    await using folder = await folderOf({ 'a.yml': checkOf('/up'), 'b.yml': 'no check: [' });
    const { code, stderr } = await watcher(['once', '--config', folder.path]);
    expect(code).toBe(1);
    expect(stderr).toContain('watcher validate');
  });

  it('ends with 2 when there is nothing to check', async () => {
    await using folder = await folderOf({});
    const { code, stderr } = await watcher(['once', '--config', folder.path]);
    expect(code).toBe(2);
    expect(stderr).toContain('there is no check to run');
  });
});
