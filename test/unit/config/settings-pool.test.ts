import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadSettings } from '../../../src/shared/config/settings.ts';
import type { PoolSettings } from '../../../src/shared/domain/pool-settings.ts';
import { ALONE } from '../../support/alone.ts';

type Variables = Readonly<Record<string, string>>;

const poolOf = async (env: Variables): Promise<PoolSettings> => (await loadSettings({ env })).pool;

const inFile = async (text: string): Promise<PoolSettings> => {
  await using folder = await mkdtempDisposable(path.join(tmpdir(), 'watcher-settings-'));
  const file = path.join(folder.path, 'watcher.yml');
  await writeFile(file, text);
  return (await loadSettings({ file, env: {} })).pool;
};

const refusal = async (loading: Promise<unknown>): Promise<string> => {
  const error: Error = await loading.then(
    () => expect.unreachable(),
    (reason) => reason,
  );
  expect(error).toMatchObject({ code: 'WCH_SETTINGS' });
  return error.message;
};

describe('the settings of a pool', () => {
  it('come from a file', async () => {
    const text = `
      etcd: [https://a:2379, https://b:2379]
      etcd_tls: { ca: ca.pem, cert: a.pem, key: b.pem }
      etcd_auth: { username: u, password: "\${file:/p}" }
      etcd_prefix: /other/
      zone: eu-1
      on_coordination_loss: stop
      pool_key: key
      timing: { ttl: 12s, heartbeat: 4s, margin: 3s, call: 2s, rank_step: 0s }
      scaling:
        mode: shed
        pool: eu-checks
        waiting_grace: 0s
        command: scale-up --by 1
        webhook: "\${env:HOOK}"`;
    expect(await inFile(text)).toEqual({
      etcd: {
        endpoints: ['https://a:2379', 'https://b:2379'],
        tls: { caFile: 'ca.pem', certFile: 'a.pem', keyFile: 'b.pem' },
        auth: { username: 'u', password: '${file:/p}' },
      },
      prefix: '/other/',
      zone: 'eu-1',
      onCoordinationLoss: 'stop',
      poolKey: 'key',
      timing: { ttlMs: 12_000, heartbeatMs: 4000, marginMs: 3000, callMs: 2000, rankStepMs: 0 },
      scaling: {
        mode: 'shed',
        pool: 'eu-checks',
        waitingGraceMs: 0,
        command: 'scale-up --by 1',
        webhook: '${env:HOOK}',
      },
    } satisfies PoolSettings);
  });

  it('come from the environment, the password itself too', async () => {
    const env = {
      WATCHER_ETCD: 'http://localhost:1, http://[::1]:2/,http://127.0.0.1:3',
      WATCHER_ETCD_TLS_CA: 'ca.pem',
      WATCHER_ETCD_AUTH_USERNAME: 'u',
      WATCHER_ETCD_AUTH_PASSWORD: 'p',
      WATCHER_TIMING_HEARTBEAT: '1s',
    };
    expect(await poolOf(env)).toEqual({
      ...ALONE,
      etcd: {
        endpoints: ['http://localhost:1', 'http://[::1]:2', 'http://127.0.0.1:3'],
        tls: { caFile: 'ca.pem' },
        auth: { username: 'u', password: 'p' },
      },
      timing: { ...ALONE.timing, heartbeatMs: 1000 },
    });
  });

  it('take a list in one text from a file too, and each member once', async () => {
    const pool = await inFile('etcd: http://127.0.0.1:1,http://127.0.0.1:2,http://127.0.0.1:1\n');
    expect(pool.etcd?.endpoints).toEqual(['http://127.0.0.1:1', 'http://127.0.0.1:2']);
  });

  it.each([
    'http://10.0.0.1:2379',
    'http://etcd.example:2379',
    'http://[2001:db8::1]:2379',
    'http://127.0.0.1:2379,http://10.0.0.1:2379',
  ])('refuse plain http to another machine: %s', async (etcd) => {
    const message = await refusal(poolOf({ WATCHER_ETCD: etcd }));
    expect(message).toMatch(/^etcd: http:\S+ is on another machine.*use https, with etcd_tls\.ca/);
  });

  it.each(['10.0.0.1:2379', 'https://a', 'ftp://a:1', 'https://a:1/path', 'https://a:1?b', 'etcd'])(
    'refuse %s, which is no member of etcd',
    async (etcd) => {
      const message = await refusal(poolOf({ WATCHER_ETCD: etcd }));
      expect(message).toBe(`etcd: '${etcd}' is not http://HOST:PORT or https://HOST:PORT`);
    },
  );

  it.each(['https://u:hunter2@a:1', 'http://hunter2@127.0.0.1:1', 'hunter2@a'])(
    'refuse %s without repeating what may be a password',
    async (etcd) => {
      const message = await refusal(poolOf({ WATCHER_ETCD: etcd }));
      expect(message).toMatch(/^etcd: '…@/);
      expect(message).not.toContain('hunter2');
    },
  );

  it.each([
    [{ WATCHER_ETCD_TLS_CERT: 'a' }, 'etcd_tls: cert and key belong together; one is missing'],
    [{ WATCHER_ETCD_TLS_KEY: 'a' }, 'etcd_tls: cert and key belong together; one is missing'],
    [
      { WATCHER_ETCD_AUTH_USERNAME: 'a' },
      'etcd_auth: username and password belong together; one is missing',
    ],
    [
      { WATCHER_ETCD_AUTH_PASSWORD: 'a' },
      'etcd_auth: username and password belong together; one is missing',
    ],
  ])('refuse %j alone', async (env, message) => {
    expect(await refusal(poolOf({ WATCHER_ETCD: 'https://a:1', ...env }))).toBe(message);
  });

  it.each([
    ['WATCHER_ETCD_PREFIX', 'watcher/'],
    ['WATCHER_ETCD_PREFIX', '/watcher'],
    ['WATCHER_ETCD_PREFIX', '/'],
    ['WATCHER_ETCD_PREFIX', '/a//b/'],
    ['WATCHER_ZONE', 'a b'],
    ['WATCHER_ON_COORDINATION_LOSS', 'perhaps'],
    ['WATCHER_SCALING_MODE', 'grow'],
    ['WATCHER_SCALING_POOL', 'a b'],
    ['WATCHER_SCALING_WAITING_GRACE', '2h'],
    ['WATCHER_SCALING_WEBHOOK', 'hooks.example/x'],
    ['WATCHER_SCALING_WEBHOOK', 'ftp://hooks.example/x'],
    ['WATCHER_TIMING_TTL', '1s'],
    ['WATCHER_TIMING_TTL', '6'],
    ['WATCHER_TIMING_CALL', '10ms'],
  ])('fail for %s=%s', async (name, text) => {
    expect(await refusal(poolOf({ [name]: text }))).toMatch(
      new RegExp(`^${name}: .* must .*, not `),
    );
  });

  it.each([
    [{ WATCHER_TIMING_HEARTBEAT: '3s' }, '3000 + 2 × 1000 + 1500 = 6500 ms is not less than 6000'],
    [{ WATCHER_TIMING_HEARTBEAT: '2500ms' }, '= 6000 ms is not less than 6000 ms'],
    [{ WATCHER_TIMING_CALL: '2s' }, '2000 + 2 × 2000 + 1500 = 7500 ms'],
    [{ WATCHER_TIMING_MARGIN: '6s' }, '2000 + 2 × 1000 + 6000 = 10000 ms'],
    [{ WATCHER_TIMING_TTL: '5s' }, 'is not less than 5000 ms'],
  ])('refuse timing with which leases end between heartbeats: %j', async (env, message) => {
    const said = await refusal(poolOf(env));
    expect(said).toMatch(/^timing: heartbeat \+ 2 × call \+ margin must be less than ttl/);
    expect(said).toContain(message);
  });

  it('refuse a password that stands in a file, and do not repeat it', async () => {
    const message = await refusal(inFile('etcd_auth: { username: u, password: hunter2 }\n'));
    expect(message).toContain('E511 etcd_auth.password must be ${env:NAME} or ${file:PATH}');
    expect(message).not.toContain('hunter2');
  });
});
