import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { watcher } from '../support/cli.ts';

let dir: string;
let settings: string;
let checks: string;

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'watcher-before-'));
  settings = path.join(dir, 'watcher.yml');
  checks = path.join(dir, 'a-check.yml');
  await writeFile(checks, '"127.0.0.1/health": { scheme: http, cron_schedule: "* * * * *" }\n');
});
afterEach(() => rm(dir, { recursive: true }));

const put = (text: string): Promise<void> => writeFile(settings, text);

describe('watcher validate --cost', () => {
  it('tells what a folder creates at the sinks of the settings', async () => {
    await put('sinks: [{ kind: datadog, api_key: "${env:KEY}" }]\n');
    const { code, stdout } = await watcher(['validate', '--cost', checks, '--settings', settings]);
    expect(stdout).toMatch(/^1 check, 43,200 runs in 30 days\n/);
    expect(stdout).toMatch(/^datadog service checks +datadoghq\.com +1 +- +43,200$/m);
    expect(code).toBe(0);
  });

  it('tells it as JSON, for a pool', async () => {
    await put('sinks: [{ kind: datadog, api_key: "${env:KEY}", events: false }]\n');
    const args = ['--json', '--workers', '2', '--settings', settings];
    const { stdout } = await watcher(['validate', '--cost', checks, ...args]);
    const { workers, destinations } = JSON.parse(stdout);
    expect(workers).toBe(2);
    expect(destinations).toMatchObject([
      { sink: 'datadog series', calls: 86_400 },
      { sink: 'datadog service checks', calls: 86_400 },
    ]);
  });

  it('counts what can be counted of a folder with errors, and fails', async () => {
    await writeFile(checks, 'a.example/: { cron_schedule: "* * * * *" }\nb.example/: { x: 1 }\n');
    const { code, stdout, stderr } = await watcher(['validate', '--cost', checks]);
    expect(stdout).toContain('Nothing is sent anywhere');
    expect(stderr).toMatch(/errors?; what has one is not counted: watcher validate shows them/);
    expect(code).toBe(1);
  });

  it('refuses settings and numbers that cannot be used', async () => {
    await put('sinks: [{ kind: datadog, api_key: hunter2 }]\n');
    const wrong = await watcher(['validate', '--cost', checks, '--settings', settings]);
    expect(wrong).toMatchObject({ code: 2, stdout: '' });
    expect(wrong.stderr).toContain('watcher.yml:1:35: error E511');
    const many = await watcher(['validate', '--cost', checks, '--workers', 'many']);
    expect(many).toMatchObject({ code: 2, stderr: expect.stringContaining('--workers') });
  });
});

describe('watcher doctor', () => {
  let server: Server;
  let url: string;
  beforeEach(async () => {
    server = createServer((_, response) => response.end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  const base = () => `listen: 127.0.0.1:0\nstate: ${dir}/state\nconfig: ${dir}/nowhere\n`;

  it('finds all well, and leaves nothing behind', async () => {
    await put(`${base()}sinks: [{ kind: webhook, url: "${url}" }]\n`);
    const { code, stdout } = await watcher(['doctor', checks, '--settings', settings]);
    expect(stdout).toMatch(/^ok +check files +1 file, 1 check$/m);
    expect(stdout).toMatch(/^ok +state folder /m);
    expect(stdout).toMatch(/^untested +webhook 127\.0\.0\.1:\d+ .*\(settings\)$/m);
    expect(code).toBe(0);
    expect(await readdir(dir)).toEqual(['a-check.yml', 'watcher.yml']);
  });

  it('fails for one test that fails, and never shows a key', async () => {
    const port = new URL(url).port;
    await new Promise((resolve) => server.close(resolve));
    const sink = '{ kind: webhook, url: "${env:HOOK}" }';
    await put(`${base()}sinks: [${sink}, { kind: jsonl, path: ${dir}/no/where }]\n`);
    const env = { HOOK: `http://127.0.0.1:${port}/hunter2?key=hunter2` };
    const args = ['doctor', '--json', '--settings', settings];
    const { code, stdout, stderr } = await watcher(args, { env });
    expect(code).toBe(1);
    const { status, findings } = JSON.parse(stdout);
    expect(status).toBe('failed');
    expect(findings).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'check files', state: 'failed' }),
        expect.objectContaining({ name: 'webhook', usedBy: 'settings', state: 'failed' }),
        expect.objectContaining({ name: `jsonl ${dir}/no/where`, state: 'failed' }),
      ]),
    );
    expect(stdout + stderr).not.toContain('hunter2');
  });

  it('refuses settings and paths that cannot be used', async () => {
    await put('sinks: 7\n');
    expect(await watcher(['doctor', '--settings', settings])).toMatchObject({ code: 2 });
    await put(base());
    const nowhere = await watcher(['doctor', `${dir}/nowhere`, '--settings', settings]);
    expect(nowhere).toMatchObject({ code: 2, stderr: expect.stringContaining('cannot be read') });
  });
});
