import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadSettings, type Settings } from '../../../src/shared/config/settings.ts';
import { ALONE } from '../../support/alone.ts';

const DEFAULTS: Settings = {
  config: 'configs',
  listen: '127.0.0.1:9464',
  listenTls: null,
  listenToken: null,
  concurrency: 256,
  perHost: 128,
  maxJobs: null,
  dns: 'own',
  connectTo: [],
  runAtStart: true,
  drainMs: 12_000,
  state: null,
  logLevel: 'info',
  pool: ALONE,
  sinks: [],
};

let dir: string;
let file: string;

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'watcher-settings-'));
  file = path.join(dir, 'watcher.yml');
});
afterEach(() => rm(dir, { recursive: true }));

const loaded = async (text: string, env: Readonly<Record<string, string>> = {}) => {
  await writeFile(file, text);
  return loadSettings({ file, env });
};

const refused = async (text: string, env = {}): Promise<readonly string[]> => {
  const error: Error = await loaded(text, env).then(
    () => expect.unreachable(),
    (reason) => reason,
  );
  expect(error).toMatchObject({ code: 'WCH_SETTINGS' });
  return error.message.split('\n').map((line) => line.replace(`${dir}/`, ''));
};

describe('settings', () => {
  it('need no file', async () => {
    expect(await loadSettings({ env: {} })).toEqual(DEFAULTS);
  });

  it('come from flags, then the environment, then the file, then the defaults', async () => {
    await writeFile(file, 'concurrency: 10\nper_host: 3\ndns: system\ndrain: 1m\n');
    const env = { WATCHER_CONCURRENCY: '20', WATCHER_DNS: 'own', WATCHER_DRAIN: '' };
    const flags = { concurrency: '30' };
    const defaults = { concurrency: '1', drain: '1s', log_level: 'warn' };
    expect(await loadSettings({ file, env, flags, defaults })).toEqual({
      ...DEFAULTS,
      concurrency: 30,
      perHost: 3,
      drainMs: 60_000,
      logLevel: 'warn',
    });
  });

  it('take all of them from a file', async () => {
    const text = `
      config: checks
      listen: 0.0.0.0:9000
      listen_tls: { cert: a.pem, key: b.pem }
      listen_token: "\${env:TOKEN}"
      concurrency: 9
      max_jobs: 7
      dns: 10.0.0.1:5353,2001:db8::1,[2001:db8::1]:53
      connect_to: ["a:1:b:2", "c:3:d:4"]
      run_at_start: false
      drain: 0s
      state: /var/lib/watcher
      log_level: error`;
    expect(await loaded(text)).toEqual({
      config: 'checks',
      listen: '0.0.0.0:9000',
      listenTls: { cert: 'a.pem', key: 'b.pem' },
      listenToken: '${env:TOKEN}',
      concurrency: 9,
      perHost: 5,
      maxJobs: 7,
      dns: '10.0.0.1:5353,2001:db8::1,[2001:db8::1]:53',
      connectTo: ['a:1:b:2', 'c:3:d:4'],
      runAtStart: false,
      drainMs: 0,
      state: '/var/lib/watcher',
      logLevel: 'error',
      pool: ALONE,
      sinks: [],
    });
  });

  it('take all of them from the environment, the token itself too', async () => {
    const env = {
      WATCHER_CONFIG: '2024',
      WATCHER_LISTEN: '[::]:9000',
      WATCHER_LISTEN_TLS_CERT: 'a.pem',
      WATCHER_LISTEN_TLS_KEY: 'b.pem',
      WATCHER_LISTEN_TOKEN: '007',
      WATCHER_CONCURRENCY: '10',
      WATCHER_PER_HOST: '10',
      WATCHER_MAX_JOBS: '5',
      WATCHER_DNS: 'system',
      WATCHER_CONNECT_TO: 'a:1:b:2, c:3:d:4',
      WATCHER_RUN_AT_START: 'false',
      WATCHER_DRAIN: '500ms',
      WATCHER_STATE: 'state',
      WATCHER_LOG_LEVEL: 'debug',
    };
    expect(await loadSettings({ env })).toEqual({
      config: '2024',
      listen: '[::]:9000',
      listenTls: { cert: 'a.pem', key: 'b.pem' },
      listenToken: '007',
      concurrency: 10,
      perHost: 10,
      maxJobs: 5,
      dns: 'system',
      connectTo: ['a:1:b:2', 'c:3:d:4'],
      runAtStart: false,
      drainMs: 500,
      state: 'state',
      logLevel: 'debug',
      pool: ALONE,
      sinks: [],
    });
  });

  it.each([
    [{ WATCHER_CONFIG: 'new', CONFIG_FILE_DIR: 'old' }, 'new'],
    [{ CONFIG_FILE_DIR: 'old' }, 'old'],
  ])('find the folder of %j in %s', async (env, config) => {
    expect(await loadSettings({ env })).toMatchObject({ config });
  });

  it.each([
    [{ WATCHER_STATE: '/a', STATE_DIRECTORY: '/b' }, '/a'],
    [{ STATE_DIRECTORY: '/b:/c' }, '/b'],
    [{ STATE_DIRECTORY: '' }, './file'],
    [{ WATCHER_STATE: 'none', STATE_DIRECTORY: '/b' }, null],
  ])('keep state, with %j, in %s', async (env, state) => {
    expect(await loaded('state: ./file\n', env)).toMatchObject({ state });
  });

  it('keep state where the command says, unless the file says nowhere', async () => {
    const defaults = { state: './.watcher' };
    expect(await loadSettings({ env: {}, defaults })).toMatchObject({ state: './.watcher' });
    await writeFile(file, 'state: none\n');
    expect(await loadSettings({ file, env: {}, defaults })).toMatchObject({ state: null });
  });

  it('may be in a file that a variable names', async () => {
    await writeFile(file, 'concurrency: 10\n');
    const settings = await loadSettings({ env: { WATCHER_SETTINGS: file } });
    expect(settings).toMatchObject({ concurrency: 10 });
  });

  it('fail with every mistake at its place', async () => {
    const text = 'concurency: 5\nlisten_tls:\n  crt: a\nlog_level: loud\n';
    expect(await refused(text, { WATCHER_DNS: 'nowhere' })).toEqual([
      'watcher.yml:1:1: error E501 unknown key "concurency" (did you mean concurrency?)',
      'watcher.yml:3:3: error E501 unknown key "crt" (did you mean cert?)',
      'watcher.yml:4:12: error E502 log_level must be one of debug, info, warn, error, not "loud"',
      'WATCHER_DNS: dns must be own, system, or ADDRESS[:PORT] of servers, separated by commas, not "nowhere"',
    ]);
  });

  it.each([
    ['WATCHER_CONCURRENCY', 'many'],
    ['WATCHER_CONCURRENCY', '0'],
    ['WATCHER_PER_HOST', '65537'],
    ['WATCHER_RUN_AT_START', 'perhaps'],
    ['WATCHER_DRAIN', '12'],
    ['WATCHER_DNS', '10.0.0.1:0'],
  ])('fail for %s=%s', async (name, text) => {
    const loading = loadSettings({ env: { [name]: text } });
    await expect(loading).rejects.toThrow(new RegExp(`^${name}: .* must be .*, not `));
  });

  it.each(['own', 'system', '10.0.0.1', '::1', '[::1]:53', '10.0.0.1:53,10.0.0.2'])(
    'ask name servers by %s',
    async (dns) => {
      expect(await loadSettings({ env: { WATCHER_DNS: dns } })).toMatchObject({ dns });
    },
  );

  it('tell of sinks at their places, together with the rest', async () => {
    const text = 'drain: 7\nsinks:\n  - kind: datadog\n    api_key: hunter2\n  - { kind: jsonl }\n';
    expect(await refused(text, { WATCHER_DNS: 'nowhere' })).toEqual([
      'watcher.yml:1:8: error E502 drain must be a duration such as 500ms, 10s or 1m, not 7',
      'watcher.yml:4:14: error E511 api_key must be ${env:NAME} or ${file:PATH}',
      'watcher.yml:5:5: error E503 "path" is missing',
      expect.stringContaining('WATCHER_DNS: '),
    ]);
  });

  it('have the sinks of the file, with the region of the environment', async () => {
    const text = 'sinks:\n  - kind: eventbridge\n  - { kind: jsonl, path: a }\n';
    const { sinks } = await loaded(text, { AWS_REGION: 'eu-west-1' });
    expect(sinks).toMatchObject([
      { kind: 'eventbridge', region: 'eu-west-1' },
      { kind: 'jsonl', path: 'a' },
    ]);
  });

  it('refuse a token that stands in the file, and do not repeat it', async () => {
    expect(await refused('listen_token: hunter2\n')).toEqual([
      'watcher.yml:1:15: error E511 listen_token must be ${env:NAME} or ${file:PATH}',
    ]);
  });

  it('want a name for the folder of the state', async () => {
    expect(await refused('state: ""\n')).toEqual([
      'watcher.yml:1:8: error E502 state must be a folder, or none, not ""',
    ]);
  });

  it('want a certificate with its key', async () => {
    expect(await refused('listen_tls: { cert: a.pem }\n')).toEqual([
      'listen_tls: cert and key belong together; one is missing',
    ]);
  });

  it('fail for a file that is named and not there', async () => {
    await expect(loadSettings({ file, env: {} })).rejects.toThrow('cannot be read');
  });

  it('never lie among the check files, not even behind a link', async () => {
    expect(await refused(`config: ${dir}\n`)).toEqual([expect.stringContaining('move it out')]);
    await mkdir(path.join(dir, 'elsewhere'));
    await symlink(dir, path.join(dir, 'elsewhere/link'));
    const config = path.join(dir, 'elsewhere/link');
    expect(await refused(`config: ${config}\n`)).toEqual([expect.stringContaining('move it out')]);
  });
});
