/** The roles of a pool as whole processes, over a real etcd. */

import { mkdtempDisposable, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeDefinitions } from '../../src/shared/coordination/definitions.ts';
import type { SelfReport } from '../../src/shared/domain/status.ts';
import { makeCertificate } from '../support/certificates.ts';
import { startCommand, watcher } from '../support/cli.ts';
import { hasEtcd, open, start } from '../support/etcd-store.ts';
import type { RunningProcess } from '../support/processes.ts';

/** A loaded machine is slow; nothing here is judged by how long it takes. */
const PATIENTLY = { timeout: 30_000, interval: 100 };

/** What callers of /secret have shown. */
const shown = new Set<string | undefined>();
const target = createServer(({ url, headers }, response) => {
  if (url === '/secret') shown.add(headers.authorization);
  response.end('{"status":"ok"}');
});
let host: string;
beforeAll(async () => {
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  host = `127.0.0.1:${(target.address() as AddressInfo).port}`;
});
afterAll(() => {
  target.closeAllConnections();
  target.close();
});

const checkOf = (route: string): string =>
  `${host}${route}:\n  cron_schedule: "* * * * * *"\n  scheme: http\n`;

/** A machine's folder, and the commands that run in it. */
const aPlace = async () => {
  const folder = await mkdtempDisposable(path.join(tmpdir(), 'pool-roles-'));
  const cwd = folder.path;
  const write = (name: string, text: string) => writeFile(path.join(cwd, name), text);
  const role = (name: string, args: readonly string[], env = {}): RunningProcess =>
    startCommand([name, '--listen', '127.0.0.1:0', ...args], { cwd, env });
  return {
    path: cwd,
    write,
    worker: (args: readonly string[], env = {}) => role('worker', args, env),
    admin: (args: readonly string[], env = {}) => role('admin', ['--config', '.', ...args], env),
    [Symbol.asyncDispose]: () => folder.remove(),
  };
};

const addressesOf = (child: RunningProcess): readonly string[] =>
  [...child.stderr().matchAll(/answers at (http\S+)/g)].map(([, address = '']) => address);

/** Where it answers, once it does. */
const addressOf = (child: RunningProcess): Promise<string> =>
  expect
    .poll(() => addressesOf(child)[0] ?? '', PATIENTLY)
    .not.toBe('')
    .then(() => addressesOf(child)[0] ?? '');

const selfOf = async (address: string): Promise<SelfReport> =>
  (await (await fetch(`${address}/v1/self`)).json()) as SelfReport;

interface Line {
  readonly check: string;
  readonly status: string;
  readonly worker: string;
  readonly detached: boolean;
}

const nextResult = async (child: RunningProcess, of: (line: Line) => boolean): Promise<Line> => {
  for (;;) {
    const { value, done } = await child.lines.next();
    if (done) throw new Error(`no such result: ${child.stderr()}`);
    const line = JSON.parse(value) as Line;
    if (of(line)) return line;
  }
};

const leads = (address: string) => async () => (await selfOf(address)).pool.leading;

describe('a pool', () => {
  it('is never spoken to in plain text over a network', async () => {
    const outcome = await watcher(['worker', '--etcd', 'http://10.0.0.1:2379']);
    expect(outcome).toMatchObject({ code: 2, stdout: '' });
    expect(outcome.stderr).toMatch(
      /^watcher: etcd: http:\/\/10\.0\.0\.1:2379 is on another machine/,
    );
  });

  it.each(['worker', 'admin'])('must be named to its %s', async (role) => {
    const outcome = await watcher([role]);
    expect(outcome).toMatchObject({ code: 2, stdout: '' });
    expect(outcome.stderr).toMatch(
      new RegExp(`^watcher: etcd: watcher ${role} is a part of a pool`),
    );
  });

  it.each(['0', '257', 'many'])('has no %s processes', async (count) => {
    const args = ['worker', '--etcd', 'http://127.0.0.1:1', '--processes', count];
    expect(await watcher(args)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--processes: '),
    });
  });
});

describe.skipIf(!hasEtcd)('a pool over etcd', { timeout: 120_000 }, () => {
  it('runs what its admin has, and follows it', async () => {
    await using etcd = await start();
    await using place = await aPlace();
    const pool = ['--etcd', etcd.endpoints.join()];
    await place.write('a.yml', checkOf('/a'));
    await using admin = place.admin(pool);
    await using worker = place.worker(pool);
    await nextResult(worker, ({ check, status }) => check === `${host}/a` && status === 'ok');
    await place.write('b.yml', checkOf('/b'));
    const { worker: id } = await nextResult(worker, ({ check }) => check === `${host}/b`);
    const [adminAt, workerAt] = [await addressOf(admin), await addressOf(worker)];
    expect(await selfOf(workerAt)).toMatchObject({
      status: 'ok',
      process: { worker: id },
      checks: { held: 2 },
      pool: { attached: true, leading: null },
    });
    expect(await selfOf(adminAt)).toMatchObject({
      status: 'ok',
      config: { files: 2 },
      pool: { attached: null, leading: true },
    });
    for (const address of [adminAt, workerAt])
      expect(await fetch(`${address}/healthz`)).toMatchObject({ status: 200 });
    expect(await (await fetch(`${adminAt}/metrics`)).text()).toContain('watcher_config_files 2');
    const reload = await watcher(['reload', '--json', '--address', adminAt]);
    expect(JSON.parse(reload.stdout)).toMatchObject({ checks: 2, errors: 0 });
    expect(await worker.stop()).toEqual({ code: 0, signal: null });
    expect(await admin.stop()).toEqual({ code: 0, signal: null });
  });

  it('is not joined without a certificate of its authority', async () => {
    await using place = await aPlace();
    const authority = makeCertificate({ isAuthority: true });
    const server = makeCertificate({ issuer: authority });
    const client = makeCertificate({ issuer: authority, name: 'worker' });
    const foreign = makeCertificate({ isAuthority: true });
    const stranger = makeCertificate({ issuer: foreign, name: 'worker' });
    await place.write('ca.pem', authority.cert);
    await place.write('foreign.pem', foreign.cert);
    for (const [name, { cert, key }] of Object.entries({ server, client, stranger })) {
      await place.write(`${name}.crt`, cert);
      await place.write(`${name}.key`, key);
    }
    const at = (name: string) => path.join(place.path, name);
    const tls = { cert: at('server.crt'), key: at('server.key'), clientCa: at('ca.pem') };
    await using etcd = await start({ tls });
    const pool = ['--etcd', etcd.endpoints.join(), '--etcd-tls-ca'];
    const as = (name: string) => [
      ...['--etcd-tls-cert', at(`${name}.crt`)],
      ...['--etcd-tls-key', at(`${name}.key`)],
    ];
    const strangers = [
      [at('foreign.pem'), ...as('client')],
      [at('ca.pem'), ...as('stranger')],
    ];
    for (const stranger of strangers) {
      await using refused = place.worker([...pool, ...stranger]);
      expect(await refused.exited).toEqual({ code: 4, signal: null });
      expect(refused.stderr()).toContain('TLS failed: check the CA, the certificate and the key');
      expect(refused.stderr()).not.toMatch(/(14 UNAVAILABLE).*\1/s);
      expect(addressesOf(refused)).toEqual([]);
    }
    const two = [...pool, at('ca.pem'), ...as('stranger'), '--processes', '2'];
    await using several = place.worker(two);
    expect(await several.exited).toEqual({ code: 4, signal: null });
    await using accepted = place.worker([...pool, at('ca.pem'), ...as('client')]);
    const address = await addressOf(accepted);
    await expect.poll(async () => (await selfOf(address)).pool.attached, PATIENTLY).toBe(true);
    const workers = () => fetch(`${address}/v1/workers`).then((answer) => answer.text());
    await expect.poll(async () => (await workers()).match(/"host"/g), PATIENTLY).toHaveLength(1);
  });

  it('shows no secret in etcd, and takes none without a key to seal it with', async () => {
    await using etcd = await start();
    await using place = await aPlace();
    const pool = ['--etcd', etcd.endpoints.join()];
    const key = ['--pool-key', 'pool.key'];
    await place.write('pool.key', `${'a1'.repeat(32)}\n`);
    await place.write('a.yml', `${checkOf('/secret')}  auth: { bearer: hunter2-hunter2 }\n`);
    await place.write('b.yml', checkOf('/b'));
    await using keyless = place.admin(pool);
    await using worker = place.worker([...pool, ...key]);
    await nextResult(worker, ({ check }) => check === `${host}/b`);
    expect(await selfOf(await addressOf(keyless))).toMatchObject({
      findings: [{ code: 'config_errors', message: expect.stringContaining('a.yml') }],
    });
    expect([...shown]).toEqual([]);
    await keyless.stop();
    await using admin = place.admin([...pool, ...key]);
    const address = await addressOf(admin);
    await expect.poll(leads(address), PATIENTLY).toBe(true);
    await watcher(['reload', '--confirm', '--address', address]);
    await nextResult(worker, ({ check }) => check === `${host}/secret`);
    expect([...shown]).toEqual(['Bearer hunter2-hunter2']);
    await using store = await open(etcd.endpoints);
    const { entries } = await store.snapshot('/watcher/');
    const chunks = entries.filter(({ key: name }) => name.includes('/def/'));
    const definitions = JSON.stringify(chunks.flatMap((chunk) => decodeDefinitions([chunk])));
    expect(definitions).toContain(`${host}/secret`);
    for (const text of [definitions, ...entries.map(({ value }) => String(value))])
      expect(text).not.toContain('hunter2');
  });

  it('never probes its own etcd', async () => {
    await using etcd = await start();
    await using place = await aPlace();
    const pool = ['--etcd', etcd.endpoints.join().replace('127.0.0.1', 'localhost')];
    const check = `127.0.0.1:${etcd.members[0].port}/health`;
    await place.write('a.yml', `${check}:\n  cron_schedule: "* * * * * *"\n  scheme: http\n`);
    await using admin = place.admin(pool);
    await using worker = place.worker(pool);
    expect(await nextResult(worker, () => true)).toMatchObject({
      check,
      status: 'unknown',
      code: 'address_refused',
    });
    await admin.stop();
  });

  it('waits for an etcd that is away at start, and says so', async () => {
    await using etcd = await start();
    await using place = await aPlace();
    await place.write('a.yml', checkOf('/a'));
    const [member] = etcd.members;
    await member.kill();
    const pool = ['--etcd', etcd.endpoints.join()];
    await using admin = place.admin(pool);
    await using worker = place.worker(pool);
    for (const child of [admin, worker])
      await expect.poll(() => child.stderr(), PATIENTLY).toContain('etcd does not answer');
    await using impatient = place.worker(pool);
    await expect.poll(() => impatient.stderr(), PATIENTLY).toContain('etcd does not answer');
    expect(await impatient.stop()).toEqual({ code: 0, signal: null });
    await member.start();
    await nextResult(worker, ({ status }) => status === 'ok');
    expect(worker.stderr()).toContain('etcd answers');
  });

  it('says of itself that etcd is away, and runs on', async () => {
    await using etcd = await start();
    await using place = await aPlace();
    const pool = ['--etcd', etcd.endpoints.join()];
    await place.write('a.yml', checkOf('/a'));
    await using admin = place.admin(pool);
    await using worker = place.worker(pool);
    await nextResult(worker, ({ detached }) => !detached);
    const [adminAt, workerAt] = [await addressOf(admin), await addressOf(worker)];
    const codesAt = async (address: string) =>
      (await selfOf(address)).findings.map(({ code }) => code);
    await etcd.members[0].kill();
    await nextResult(worker, ({ detached }) => detached);
    await expect.poll(() => codesAt(workerAt), PATIENTLY).toEqual(['store_away', 'detached']);
    await expect.poll(() => codesAt(adminAt), PATIENTLY).toEqual(['store_away']);
    expect(await fetch(`${workerAt}/healthz`)).toMatchObject({ status: 200 });
    expect(await fetch(`${adminAt}/healthz`)).toMatchObject({ status: 503 });
    await etcd.members[0].start();
    await nextResult(worker, ({ detached }) => !detached);
    await expect.poll(() => codesAt(workerAt), PATIENTLY).toEqual([]);
    await expect.poll(() => codesAt(adminAt), PATIENTLY).toEqual([]);
    expect(await fetch(`${adminAt}/healthz`)).toMatchObject({ status: 200 });
  });

  it('is led by a standby when its admin dies', async () => {
    await using etcd = await start();
    await using place = await aPlace();
    const pool = ['--etcd', etcd.endpoints.join()];
    await place.write('a.yml', checkOf('/a'));
    await using worker = place.worker(pool);
    await using leader = place.admin(pool);
    await expect.poll(leads(await addressOf(leader)), PATIENTLY).toBe(true);
    await using standby = place.admin(pool);
    const address = await addressOf(standby);
    expect(await fetch(`${address}/healthz`)).toMatchObject({ status: 200 });
    expect(await selfOf(address)).toMatchObject({ status: 'ok', pool: { leading: false } });
    const reload = await watcher(['reload', '--address', address]);
    expect(reload).toMatchObject({ code: 2, stderr: expect.stringContaining('stands by') });
    await leader.stop('SIGKILL');
    await expect.poll(leads(address), PATIENTLY).toBe(true);
    await place.write('b.yml', checkOf('/b'));
    await nextResult(worker, ({ check }) => check === `${host}/b`);
  });

  it('has several workers of one command, which starts again what crashes', async () => {
    await using etcd = await start();
    await using place = await aPlace();
    const pool = ['--etcd', etcd.endpoints.join()];
    await place.write('a.yml', checkOf('/a') + checkOf('/b') + checkOf('/c'));
    await using admin = place.admin(pool);
    await using parent = place.worker([...pool, '--processes', '2']);
    await expect.poll(() => addressesOf(parent), PATIENTLY).toHaveLength(2);
    const selves = await Promise.all(addressesOf(parent).map(selfOf));
    expect(new Set(selves.map(({ process }) => process.worker)).size).toBe(2);
    const holding = await nextResult(parent, () => true);
    const victim = selves.find(({ process }) => process.worker === holding.worker);
    process.kill(victim?.process.pid ?? 0, 'SIGKILL');
    await nextResult(parent, ({ worker }) => worker !== holding.worker);
    await expect.poll(() => addressesOf(parent), PATIENTLY).toHaveLength(3);
    expect(parent.stderr()).toContain('a worker process crashed, and is started again');
    const third = await selfOf(addressesOf(parent)[2] ?? '');
    expect(await parent.stop()).toEqual({ code: 0, signal: null });
    for (const { process: one } of [...selves, third])
      expect(() => process.kill(one.pid, 0)).toThrow('ESRCH');
    await admin.stop();
  });

  it('has workers that do not outlive the command that would start them again', async () => {
    await using etcd = await start();
    await using place = await aPlace();
    await using parent = place.worker(['--etcd', etcd.endpoints.join(), '--processes', '2']);
    await expect.poll(() => addressesOf(parent), PATIENTLY).toHaveLength(2);
    const selves = await Promise.all(addressesOf(parent).map(selfOf));
    process.kill(parent.pid, 'SIGKILL');
    for (const { process: one } of selves)
      await expect.poll(() => isAlive(one.pid), PATIENTLY).toBe(false);
  });

  it('writes a log file for each role and process where LOG_DIR says', async () => {
    await using etcd = await start();
    await using place = await aPlace();
    const pool = ['--etcd', etcd.endpoints.join()];
    const env = { LOG_DIR: 'logs' };
    const logs = path.join(place.path, 'logs');
    await place.write('a.yml', checkOf('/a'));
    await using admin = place.admin(pool, env);
    await using alone = place.worker(pool, env);
    await using two = place.worker([...pool, '--processes', '2'], env);
    await nextResult(alone, () => true);
    await expect.poll(() => addressesOf(two), PATIENTLY).toHaveLength(2);
    for (const child of [alone, two, admin]) await child.stop();
    const names = (await readdir(logs)).toSorted();
    expect(names).toEqual([
      'watcher-admin.log',
      'watcher-worker-1.log',
      'watcher-worker-2.log',
      'watcher-worker.log',
    ]);
    for (const name of names) {
      const lines = (await readFile(path.join(logs, name), 'utf8')).trimEnd().split('\n');
      for (const line of lines) expect(JSON.parse(line)).toHaveProperty('msg');
      expect(lines.join()).toContain('SIGTERM');
    }
  });
});

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};
