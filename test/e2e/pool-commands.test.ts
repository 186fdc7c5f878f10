/** `ledger`, `workers`, `scaling` and `jobs` as processes, against a process that has a ledger in memory. */

import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { openPoolView } from '../../src/pool-view.ts';
import { MemoryStore } from '../../src/shared/coordination/kv-memory.ts';
import { encodeScaling } from '../../src/shared/coordination/records.ts';
import type { CheckSpec, WorkerId } from '../../src/shared/domain/check.ts';
import { WatcherError } from '../../src/shared/domain/errors.ts';
import type { ScalingRecord, WaitReason } from '../../src/shared/domain/jobset.ts';
import { startHttpServer } from '../../src/shared/http/server.ts';
import { systemClock } from '../../src/shared/runtime/clock.ts';
import { silentLog } from '../../src/shared/runtime/log.ts';
import { systemRandom } from '../../src/shared/runtime/random.ts';
import { watcher } from '../support/cli.ts';
import { FaultyStore } from '../support/faulty-store.ts';
import { writtenLedger } from '../support/written-ledger.ts';

interface Given {
  readonly isGuarded?: boolean;
  readonly seal?: (spec: CheckSpec) => CheckSpec;
}

const aPool = async ({ seal = (spec) => spec, isGuarded = false }: Given = {}) => {
  const store = new MemoryStore({ clock: systemClock });
  const network = new FaultyStore(store);
  const ledger = writtenLedger(store);
  const lease = await store.lease(600_000);
  await ledger.worker('w1', { listen: '127.0.0.1:9464', zone: 'eu' }, lease.id);
  await ledger.beat('w1', systemClock.now());
  await ledger.leads('admin-1');
  const view = openPoolView({
    store: network,
    keys: ledger.keys,
    clock: systemClock,
    random: systemRandom,
    awaySince: () => null,
    keyOf: () => null,
    seal,
    isGuarded,
  });
  const server = await startHttpServer({
    listen: { host: '127.0.0.1', port: 0 },
    routes: view.routes,
    log: silentLog,
    clock: systemClock,
  });
  return {
    ledger,
    network,
    run: (...args: readonly string[]) => watcher([...args, '--address', server.url]),
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await view[Symbol.asyncDispose]();
    },
  };
};

const aFile = async (text: string) => {
  const folder = await mkdtempDisposable(path.join(tmpdir(), 'jobs-'));
  const file = path.join(folder.path, 'canary.yml');
  await writeFile(file, text);
  return { file, [Symbol.asyncDispose]: () => folder.remove() };
};

const TWO_CHECKS = `c.example/x:
  cron_schedule: "* * * * *"
d.example/x:
  cron_schedule: "* * * * *"
`;

const waiting = (reason: WaitReason) => ({
  waiting: { reason, since: systemClock.now() - 21_000, by: 'w1' as WorkerId, load: 1 },
});

describe('watcher scaling', () => {
  const LEVEL: ScalingRecord = {
    at: systemClock.now() - 3_000,
    workers: 2,
    desiredWorkers: 3,
    capacityUtilization: 118.4,
    waitingJobs: 2,
    oldestWaitingMs: 20_000,
    latenessP99Ms: 4_100,
    futile: null,
    episode: { id: 'e1', raisedAt: systemClock.now() - 60_000, jobs: 2 },
  };
  it('says how many workers are missing, and what waits, and ends with 1', async () => {
    await using pool = await aPool();
    await pool.ledger.jobset('js-1', ['a.example/x', 'a.example/y'], waiting('late'));
    await pool.ledger.jobset('js-2', ['b.example/x'], waiting('quarantined'));
    await pool.ledger.put(pool.ledger.keys.scaling, encodeScaling(LEVEL));
    const { code, stdout } = await pool.run('scaling');
    const lines = stdout.split('\n');
    expect(lines.slice(0, 4)).toEqual([
      expect.stringMatching(/^SCALING LIMIT HIT 1 m \d+ s ago$/),
      expect.stringMatching(/^2 workers, 1 more needed; load 118\.4 % .* p99 4\.1 s \(told /),
      '2 checks wait for a worker with room',
      expect.stringMatching(/^1 check in quarantine/),
    ]);
    expect(lines[5]).toMatch(/^CHECK +WAITS +REASON +FROM WORKER +JOBSET$/);
    expect(lines[6]).toMatch(/^a\.example\/x +2\d\.\d s +late +w1 +js-1$/);
    expect(lines).toHaveLength(9);
    expect(code).toBe(1);
    const json = await pool.run('scaling', '--json');
    expect(JSON.parse(json.stdout)).toMatchObject({ level: LEVEL, waitingJobs: 2, stale: false });
    expect(json.code).toBe(1);
  });

  it('ends with 0 where the pool is large enough, and with 5 where nobody can tell', async () => {
    await using pool = await aPool();
    expect(await pool.run('scaling')).toMatchObject({
      code: 5,
      stdout: expect.stringContaining('no admin has told the size of this pool yet'),
    });
    await pool.ledger.jobset('js-1', ['a.example/x'], waiting('late'));
    await pool.ledger.put(pool.ledger.keys.scaling, encodeScaling({ ...LEVEL, episode: null }));
    expect((await pool.run('scaling')).code).toBe(0);
    pool.network.cut = true;
    const { code, stdout } = await pool.run('scaling');
    expect(stdout).toMatch(/^stale: /);
    expect(code).toBe(5);
  });
});

describe('watcher ledger', () => {
  it('shows which worker runs which check, of all pages', async () => {
    await using pool = await aPool();
    for (let n = 10; n < 70; n += 1) {
      await pool.ledger.jobset(`js-${n}`, [`a.example/${n}`]);
      if (n > 10) await pool.ledger.owns('w1', `js-${n}`);
    }
    const { code, stdout } = await pool.run('ledger');
    const lines = stdout.split('\n');
    expect(lines[0]).toBe('60 checks in 60 jobsets of 1 worker; nobody runs 1 check');
    expect(lines[2]).toMatch(/^CHECK +WORKER +JOBSET +REVISION$/);
    expect(lines[3]).toMatch(/^a\.example\/10 +nobody +js-10 +\d+$/);
    expect(lines.at(-1)).toMatch(/^a\.example\/69 +w1 +js-69 +\d+$/);
    expect(lines).toHaveLength(63);
    expect(code).toBe(0);
  });

  it('shows one check, and the same as JSON with the record of its jobset', async () => {
    await using pool = await aPool();
    await pool.ledger.jobset('js-1', ['a.example/x', 'a.example/y']);
    await pool.ledger.owns('w1', 'js-1');
    const one = await pool.run('ledger', 'a.example/y');
    expect(one.stdout.split('\n').slice(3)).toEqual([expect.stringMatching(/^a\.example\/y +w1 /)]);
    const { stdout } = await pool.run('ledger', '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      id: 'js-1',
      owner: 'w1',
      heartbeat: expect.any(Number),
      jobs: [expect.stringMatching(/^[0-9a-f-]{36}$/), expect.any(String)],
      keys: ['a.example/x', 'a.example/y'],
      stale: false,
    });
    const none = await pool.run('ledger', 'a.example/z');
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining('a.example/z') });
  });

  it('goes on while the store is away, with 5 and the word stale', async () => {
    await using pool = await aPool();
    await pool.ledger.jobset('js-1', ['a.example/x']);
    await pool.ledger.owns('w1', 'js-1');
    await pool.run('ledger');
    pool.network.cut = true;
    const { code, stdout } = await pool.run('ledger', 'a.example/x');
    expect(stdout).toMatch(/^stale: the store has not been followed for /);
    expect(stdout).toMatch(/\na\.example\/x +w1 +js-1 +\d+$/);
    expect(code).toBe(5);
  });

  it('ends with 5 where a record cannot be read, and shows all others', async () => {
    await using pool = await aPool();
    await pool.ledger.jobset('js-1', ['a.example/x']);
    await pool.ledger.put(pool.ledger.keys.jobset('js-2' as never), Buffer.from('{"v":2}'));
    const { code, stdout } = await pool.run('ledger');
    expect(stdout).toContain('1 record cannot be read by this watcher');
    expect(stdout).toMatch(/\na\.example\/x /);
    expect(stdout).toMatch(/\n\(.*version 2.*\) +nobody +js-2 /);
    expect(code).toBe(5);
  });
});

describe('watcher workers', () => {
  it('shows who works, and which admin leads', async () => {
    await using pool = await aPool();
    const { code, stdout } = await pool.run('workers');
    const lines = stdout.split('\n');
    expect(lines[0]).toBe('1 worker; admin admin-1 leads');
    expect(lines[3]).toMatch(/^w1 +up +2 +3 .* eu +host of w1 +127\.0\.0\.1:9464 +1\.2\.3$/);
    expect(code).toBe(0);
    const { stdout: json } = await pool.run('workers', '--json');
    expect(JSON.parse(json)).toMatchObject({ leader: 'admin-1', workers: [{ id: 'w1' }] });
  });
});

describe('watcher jobs', () => {
  it('adds the checks of a file for a worker, and removes them', async () => {
    await using pool = await aPool();
    await using canary = await aFile(TWO_CHECKS);
    const added = await pool.run('jobs', 'add', canary.file, '--worker', 'w1');
    expect(added.stdout).toMatch(/^added c\.example\/x to jobset \S+ of w1\nadded d\.example\/x /);
    expect(added.code).toBe(0);
    expect((await pool.run('ledger')).stdout).toMatch(/\nd\.example\/x +w1 /);

    const removed = await pool.run('jobs', 'remove', 'c.example/x');
    expect(removed).toMatchObject({ code: 0, stdout: 'removed c.example/x' });
    const { stdout } = await pool.run('jobs', 'remove', 'd.example/x', '--json');
    expect(JSON.parse(stdout)).toEqual({ removed: 'd.example/x' });
    expect((await pool.run('ledger')).stdout).toMatch(/^0 checks /);
  });

  it('says what is there already: 1 when nothing was added, 5 when something was', async () => {
    await using pool = await aPool();
    await using one = await aFile('c.example/x:\n  cron_schedule: "* * * * *"\n');
    await using two = await aFile(TWO_CHECKS);
    await pool.run('jobs', 'add', one.file);
    const again = await pool.run('jobs', 'add', one.file);
    expect(again.stdout).toMatch(/^not added c\.example\/x: it is there already, by jobs add/);
    expect(again.code).toBe(1);
    const more = await pool.run('jobs', 'add', two.file);
    expect(more.stdout).toMatch(/^added d\.example\/x .*\nnot added c\.example\/x/);
    expect(more.code).toBe(5);
  });

  it('adds nothing of a file with errors, and names file, line and reason', async () => {
    await using pool = await aPool();
    await using bad = await aFile('c.example/x:\n  cron_schedule: "* * *"\nd.example/x: {}\n');
    const { code, stdout } = await pool.run('jobs', 'add', bad.file);
    expect(stdout).toContain(`${bad.file}:2:18: error E504`);
    expect(code).toBe(1);
    expect((await pool.run('ledger')).stdout).toMatch(/^0 checks /);
  });

  it('adds no self block, and no secret that cannot be sealed', async () => {
    const seal = (spec: CheckSpec): CheckSpec => {
      if (spec.request.headers.length === 0) return spec;
      throw new WatcherError('WCH_SECRET', 'set pool_key');
    };
    await using pool = await aPool({ seal });
    await using file = await aFile(`c.example/x:
  cron_schedule: "* * * * *"
  headers: { authorization: secret }
d.example/x:
  cron_schedule: "* * * * *"
self:
  post_endpoint: https://example.com/
`);
    const { code, stdout } = await pool.run('jobs', 'add', file.file);
    expect(stdout).toMatch(/^added d\.example\/x/m);
    expect(stdout).toMatch(/^not added c\.example\/x: set pool_key$/m);
    expect(stdout).toMatch(/^not added self: .*spec folder$/m);
    expect(code).toBe(5);
  });

  it('adds what refers to a secret only where callers have to show a token', async () => {
    await using open = await aPool();
    await using guarded = await aPool({ isGuarded: true });
    await using file = await aFile(`c.example/x:
  cron_schedule: "* * * * *"
  headers: { authorization: "\${file:/etc/passwd}" }
`);
    const refused = await open.run('jobs', 'add', file.file);
    expect(refused.stdout).toMatch(/^not added c\.example\/x: .*listen_token$/);
    expect(refused.code).toBe(1);
    expect((await guarded.run('jobs', 'add', file.file)).code).toBe(0);
  });

  it('tells of a worker that there is not, of a file that there is not, and of an empty one', async () => {
    await using pool = await aPool();
    await using canary = await aFile(TWO_CHECKS);
    await using empty = await aFile('# nothing\n');
    const calls = [[canary.file, '--worker', 'w9'], ['/nowhere/c.yml'], [empty.file]];
    const outcomes = await Promise.all(calls.map((args) => pool.run('jobs', 'add', ...args)));
    expect(outcomes).toMatchObject([
      { code: 2, stderr: expect.stringMatching(/no worker is called w9.*watcher workers/) },
      { code: 2, stderr: expect.stringContaining('/nowhere/c.yml cannot be read') },
      { code: 2, stderr: expect.stringContaining('there is no check in that file') },
    ]);
  });

  it('releases a check from quarantine, and refuses with 2 what does not wait', async () => {
    await using pool = await aPool();
    await pool.ledger.jobset('js-1', ['b.example/x'], waiting('quarantined'));
    await pool.ledger.jobset('js-2', ['a.example/x']);
    const { code, stdout } = await pool.run('jobs', 'release', 'b.example/x');
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'released b.example/x' });
    const { stdout: ledger } = await pool.run('ledger', 'b.example/x', '--json');
    expect(JSON.parse(ledger)).toMatchObject({ id: 'js-1', waiting: null });
    const refused = await pool.run('jobs', 'release', 'a.example/x', '--json');
    expect(refused.stderr).toContain('a.example/x waits for nothing and is not quarantined');
    expect(refused.code).toBe(2);
    expect((await pool.run('jobs', 'release', 'c.example/x')).code).toBe(2);
  });

  it('ends with 4 while the store is away', async () => {
    await using pool = await aPool();
    await using canary = await aFile(TWO_CHECKS);
    pool.network.cut = true;
    expect((await pool.run('jobs', 'add', canary.file)).code).toBe(4);
    expect((await pool.run('jobs', 'remove', 'c.example/x')).code).toBe(4);
  });
});
