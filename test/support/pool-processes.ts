/**
 * A whole pool for tests and proofs: real etcd, admins and workers as processes, a target that knows who
 * asked, and the history of what all of them have delivered.
 */

import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startCommand } from './cli.ts';
import { type Etcd, startEtcd } from './etcd.ts';
import { FaultProxy } from './fault-proxy.ts';
import { freePort } from './free-ports.ts';
import {
  addUsers,
  type Certificates,
  certificatesIn,
  openAccess,
  type PoolAccess,
  userAccess,
} from './pool-access.ts';
import { definitionsOf, hostsOf, type PoolChecks, writeChecks } from './pool-checks.ts';
import { History } from './pool-history.ts';
import { type Owner, PoolLedger } from './pool-ledger.ts';
import { PoolTarget } from './pool-target.ts';
import { PoolWorker } from './pool-worker.ts';
import { listening, type RunningProcess } from './processes.ts';

export interface PoolOptions extends PoolChecks {
  readonly members?: 1 | 3;
  readonly workers: number;
  readonly admins?: number;
  /** Published by the test, in so many jobsets, as no admin would; then there is none. */
  readonly jobsets?: number;
  /** How everybody comes into etcd: certificates on both sides, or a user with a password. */
  readonly access?: 'certificates' | 'users';
  /** Number of the worker that reaches etcd through proxies. */
  readonly proxied?: number;
  /** For every worker. */
  readonly workerArgs?: readonly string[];
  readonly workerEnv?: Readonly<Record<string, string>>;
  /** Of every worker, instead of the program itself. */
  readonly workerCommand?: readonly string[];
  /** For every admin. */
  readonly adminEnv?: Readonly<Record<string, string>>;
  /** Settings of every admin; as JSON, which is YAML. */
  readonly adminSettings?: object;
  readonly etcdFlags?: readonly string[];
}

const SETTLED_MS = 60_000;
const LOOK_MS = 100;
const LISTENING_MS = 60_000;
/** At this rate what workers have delivered is read. */
const READ_MS = 1_000;
/** Of a log, in characters. */
const LAST_WORDS = 2_000;

/** Null where etcd cannot be had. */
export async function startPool(options: PoolOptions): Promise<Pool | null> {
  await using resources = new AsyncDisposableStack();
  const { path: folder } = resources.use(await mkdtempDisposable(path.join(tmpdir(), 'pool-')));
  const access = await accessFor(folder, options);
  const flags = options.etcdFlags ?? [];
  const etcd = await startEtcd({ members: options.members ?? 1, flags, ...access.server });
  if (etcd === null) return null;
  resources.use(etcd);
  if (access === userAccess) await addUsers(etcd.members[0]);
  const ledger = resources.use(
    await PoolLedger.open({ endpoints: etcd.endpoints, ...access.client }),
  );
  const target = resources.use(new PoolTarget());
  const pool = new Pool({ options, folder, etcd, ledger, target, access });
  resources.use(pool);
  await pool.begin();
  const owned = resources.move();
  // Processes end before what they stand on.
  pool.owns(owned);
  return pool;
}

interface PoolParts {
  readonly options: PoolOptions;
  readonly folder: string;
  readonly etcd: Etcd;
  readonly ledger: PoolLedger;
  readonly target: PoolTarget;
  readonly access: PoolAccess;
}

const accessFor = (folder: string, { access }: PoolOptions): Promise<PoolAccess> | PoolAccess => {
  if (access === 'certificates') return certificatesIn(folder);
  return access === 'users' ? userAccess : openAccess;
};

export class Pool implements AsyncDisposable {
  readonly etcd: Etcd;
  readonly ledger: PoolLedger;
  readonly target: PoolTarget;
  readonly history: History;
  readonly workers: PoolWorker[] = [];
  readonly admins: RunningProcess[] = [];
  /** One before each member of etcd, for the worker that has them. */
  readonly proxies: FaultProxy[] = [];
  readonly #parts: PoolParts;
  readonly #reading: NodeJS.Timeout;
  readonly #adminPorts: number[] = [];
  #owned: AsyncDisposableStack | null = null;
  #disposing = false;

  constructor(parts: PoolParts) {
    const { options, etcd, ledger, target } = parts;
    this.#parts = parts;
    this.etcd = etcd;
    this.ledger = ledger;
    this.target = target;
    this.history = new History({
      checks: options.checks,
      intervalMs: options.intervalMs ?? 60_000,
    });
    this.#reading = setInterval(() => void this.read(), READ_MS);
  }

  /** Workers first: they share what is published, instead of the first one taking it all. */
  async begin(): Promise<void> {
    const { options, etcd, ledger, folder } = this.#parts;
    const { jobsets, admins = jobsets === undefined ? 1 : 0 } = options;
    await writeChecks(path.join(folder, 'checks'), options);
    if (options.proxied !== undefined) {
      for (const { port } of etcd.members) this.proxies.push(await FaultProxy.start(port));
    }
    for (let number = 0; number < options.workers; number++) {
      this.workers.push(await this.#worker(number));
    }
    await Promise.all(this.workers.map((worker) => worker.start()));
    for (let number = 0; number < admins; number++) this.admins.push(await this.#startAdmin());
    if (jobsets !== undefined) await ledger.publish(definitionsOf(options.checks), jobsets);
    await this.#published();
    if (options.workers > 0) await this.settled();
  }

  /** One more, which has the next number; resolves when the ledger has it. */
  async addWorker(args: readonly string[] = []): Promise<PoolWorker> {
    const worker = await this.place(this.workers.length, args);
    await worker.start();
    return worker;
  }

  /** A worker that somebody else starts, whose results count. */
  async place(number: number, args: readonly string[] = []): Promise<PoolWorker> {
    const worker = await this.#worker(number, args);
    this.workers.push(worker);
    return worker;
  }

  /** Of this pool alone. */
  get folder(): string {
    return this.#parts.folder;
  }

  /** Of a pool that has them. */
  get certificates(): Certificates {
    const { access } = this.#parts;
    if (!('rotate' in access)) throw new Error('this pool has no certificates');
    return access as Certificates;
  }

  owns(stack: AsyncDisposableStack): void {
    this.#owned = stack;
  }

  /** The leader of them ends as an operator would end it, and another leads at once. */
  async restartAdmins(): Promise<void> {
    for (const [number, admin] of this.admins.entries()) {
      await admin.stop();
      this.admins[number] = await this.#startAdmin();
    }
  }

  /** Of an admin: what it answers there. */
  async ask(path: string): Promise<unknown> {
    const response = await fetch(`http://127.0.0.1:${this.#adminPorts[0]}${path}`);
    return response.json();
  }

  /** Until every jobset is owned and its owner's scheduler has it: who owns what. */
  async settled(withinMs = SETTLED_MS): Promise<ReadonlyMap<string, Owner>> {
    for (const deadline = Date.now() + withinMs; Date.now() < deadline; await sleep(LOOK_MS)) {
      const owners = await this.#settledOwners().catch(() => null);
      if (owners !== null) return owners;
    }
    const admins = this.admins.map((admin) => `admin: ${admin.stderr().slice(-LAST_WORDS)}`);
    const words = [await this.#standing(), ...this.workers.map(lastWordsOf), ...admins];
    throw new Error(`not every jobset is owned: ${words.join('\n')}`);
  }

  ownerOf(owner: Owner): PoolWorker | undefined {
    return this.workers.find(({ id, runs }) => runs && id === owner.worker);
  }

  /** Until everything that falls due before that moment has been run and delivered. */
  async until(at: number): Promise<void> {
    await sleep(Math.max(0, at - Date.now()));
    await this.read();
  }

  async read(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.read()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposing) return;
    this.#disposing = true;
    clearInterval(this.#reading);
    for (const part of [...this.workers, ...this.admins]) await part[Symbol.asyncDispose]();
    for (const proxy of this.proxies) await proxy[Symbol.asyncDispose]();
    await this.#owned?.disposeAsync();
  }

  async #settledOwners(): Promise<ReadonlyMap<string, Owner> | null> {
    const [owners, jobsets] = await Promise.all([this.ledger.owners(), this.ledger.jobsets()]);
    if (jobsets.length === 0 || jobsets.some((id) => !owners.has(id))) return null;
    for (const [jobset, owner] of owners) {
      const held = this.ownerOf(owner)?.heldAt(jobset, owner.token) ?? null;
      if (held === null) return null;
    }
    return owners;
  }

  /** The jobsets come one after the other: the first ones may be owned before the last ones are there. */
  async #published(): Promise<void> {
    const { options, ledger } = this.#parts;
    const isPublished = async () => (await ledger.jobs()) >= options.checks;
    for (const deadline = Date.now() + SETTLED_MS; Date.now() < deadline; await sleep(LOOK_MS))
      if (await isPublished().catch(() => false)) return;
    throw new Error('not every check is published');
  }

  /** For people: each jobset that is not held as the ledger says. */
  async #standing(): Promise<string> {
    const [owners, jobsets] = await Promise.all([this.ledger.owners(), this.ledger.jobsets()]);
    const open = jobsets.flatMap((jobset) => {
      const owner = owners.get(jobset);
      if (owner === undefined) return `${jobset}: nobody's`;
      const worker = this.ownerOf(owner);
      if (worker === undefined) return `${jobset}: of ${owner.worker}, which does not run`;
      const isHeld = worker.heldAt(jobset, owner.token) !== null;
      return isHeld ? [] : `${jobset}: worker ${worker.number} does not hold token ${owner.token}`;
    });
    return open.join('\n');
  }

  async #worker(number: number, more: readonly string[] = []): Promise<PoolWorker> {
    const { options, folder, ledger, target, etcd, access } = this.#parts;
    const isProxied = number === options.proxied;
    const scheme = options.access === 'certificates' ? 'https' : 'http';
    const endpoints = isProxied
      ? this.proxies.map(({ port }) => `${scheme}://localhost:${port}`)
      : etcd.endpoints;
    const own = ['--drain', '5s', ...(options.workerArgs ?? []), ...more];
    const port = await target.portFor(number);
    const { workerCommand: command } = options;
    return new PoolWorker({
      ...{ number, ledger, folder: path.join(folder, `worker-${number}`) },
      args: [...this.#etcdArgs(endpoints), ...own],
      connectTo: [...hostsOf(options)].map((host) => `${host}:80:127.0.0.1:${port}`),
      env: { ...access.env, ...options.workerEnv },
      history: this.history,
      ...(command && { command }),
    });
  }

  async #startAdmin(): Promise<RunningProcess> {
    const { folder, access, options, etcd } = this.#parts;
    const port = await freePort();
    const settings = path.join(folder, 'admin.yml');
    await writeFile(settings, JSON.stringify(options.adminSettings ?? {}));
    const args = [
      ...['--config', path.join(folder, 'checks'), '--listen', `127.0.0.1:${port}`],
      ...['--settings', settings],
      ...this.#etcdArgs(etcd.endpoints),
    ];
    const env = { ...access.env, ...options.adminEnv };
    const admin = startCommand(['admin', ...args], { env, stdout: 'ignore' });
    await listening(port, admin, LISTENING_MS);
    this.#adminPorts.push(port);
    return admin;
  }

  #etcdArgs(endpoints: readonly string[]): readonly string[] {
    return ['--etcd', endpoints.join(','), ...this.#parts.access.args];
  }
}

const lastWordsOf = (worker: PoolWorker): string => {
  const last = [...worker.log()].slice(-3).map((line) => JSON.stringify(line));
  return `worker ${worker.number}: ${last.join(' ') || 'nothing'}`;
};
