/**
 * A real etcd for tests: one member or three, on loopback, in folders of their own. Members can be
 * killed, stopped and started again, with their data or without.
 */

import { cp, mkdtempDisposable, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Program, programOf } from './debian-packages.ts';
import { freePorts } from './free-ports.ts';
import { type RunningProcess, startProcess } from './processes.ts';

/** The shortest that it grants, by its default election timeout. */
export const SHORTEST_TTL_MS = 2000;

export interface EtcdOptions {
  readonly members?: 1 | 3;
  /** Paths of PEM files; clients must then show a certificate if `clientCa` is given. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientCa?: string };
  readonly flags?: readonly string[];
}

export interface EtcdMember {
  readonly endpoint: string;
  readonly port: number;
  /** SIGKILL: it flushes nothing and says goodbye to nobody. */
  kill(): Promise<void>;
  /** SIGSTOP: connections stay, nothing answers. */
  pause(): void;
  resume(): void;
  /** While it does not run: its data, for `start`. */
  backup(): Promise<Backup>;
  /** With the data that it had, none, or those of a backup. Resolves when it answers. */
  start(data?: 'kept' | 'wiped' | Backup): Promise<void>;
  /** A call of etcd's JSON gateway, so that no client library stands between. Without TLS only. */
  post(path: string, body: unknown, token?: string): Promise<Record<string, unknown>>;
}

export interface Backup {
  readonly folder: string;
}

export interface Etcd extends AsyncDisposable {
  readonly members: readonly [EtcdMember, ...EtcdMember[]];
  readonly endpoints: readonly string[];
  /** Of the members that answer. Without TLS only. */
  leader(): Promise<EtcdMember>;
  /** Makes it forget all revisions up to its present one. */
  compact(): Promise<void>;
  /** When its quota is used up: compacts, defragments and disarms. What is stored stays. */
  makeRoom(): Promise<void>;
}

/** Null where etcd cannot be had. */
export async function startEtcd(options: EtcdOptions = {}): Promise<Etcd | null> {
  const program = await programOf('etcd');
  if (program === null) return null;
  await using resources = new AsyncDisposableStack();
  const folder = resources.use(await mkdtempDisposable(path.join(tmpdir(), 'etcd-')));
  const places = await placesOf(options.members ?? 1, folder.path);
  const cluster = places.map((place) => `${place.name}=${place.peerUrl}`).join(',');
  const run = places.map((place) =>
    resources.use(new Member(program, place, [...flagsOf(options, cluster)], options)),
  );
  await Promise.all(run.map((member) => member.start()));
  const [first, ...others] = run;
  if (first === undefined) throw new Error('no member');
  const owned = resources.move();
  return {
    members: [first, ...others],
    endpoints: run.map(({ endpoint }) => endpoint),
    leader: () => leaderOf(run),
    compact: () => compact(first),
    makeRoom: () => makeRoom(run),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

interface Place {
  readonly name: string;
  readonly folder: string;
  readonly port: number;
  readonly peerUrl: string;
}

async function placesOf(count: number, folder: string): Promise<Place[]> {
  const port = await freePorts(2 * count);
  return Array.from({ length: count }, (_, i) => ({
    name: `member${i + 1}`,
    folder: path.join(folder, `member${i + 1}`),
    port: port + 2 * i,
    peerUrl: `http://127.0.0.1:${port + 2 * i + 1}`,
  }));
}

function* flagsOf({ tls, flags = [] }: EtcdOptions, cluster: string): Iterable<string> {
  yield* ['--initial-cluster', cluster, '--logger', 'zap', '--log-level', 'error'];
  if (tls !== undefined) yield* ['--cert-file', tls.cert, '--key-file', tls.key];
  if (tls?.clientCa !== undefined) yield* ['--client-cert-auth', '--trusted-ca-file', tls.clientCa];
  yield* flags;
}

class Member implements EtcdMember, AsyncDisposable {
  readonly endpoint: string;
  readonly port: number;
  readonly #program: Program;
  readonly #place: Place;
  readonly #flags: readonly string[];
  #process: RunningProcess | null = null;

  constructor(program: Program, place: Place, flags: readonly string[], { tls }: EtcdOptions) {
    this.#program = program;
    this.#place = place;
    this.#flags = flags;
    this.port = place.port;
    this.endpoint = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${place.port}`;
  }

  async backup(): Promise<Backup> {
    const folder = `${this.#place.folder}-backup`;
    await cp(this.#place.folder, folder, { recursive: true });
    return { folder };
  }

  async start(data: 'kept' | 'wiped' | Backup = 'kept'): Promise<void> {
    const { name, folder, peerUrl } = this.#place;
    if (data !== 'kept') await rm(folder, { recursive: true });
    if (typeof data === 'object') await cp(data.folder, folder, { recursive: true });
    const command = [
      ...[this.#program.file, '--name', name, '--data-dir', folder],
      ...['--listen-client-urls', this.endpoint, '--advertise-client-urls', this.endpoint],
      ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
      ...this.#flags,
    ];
    const child = startProcess(command, { env: this.#program.env, stdout: 'ignore' });
    this.#process = child;
    await this.#answering(child);
  }

  async kill(): Promise<void> {
    await this.#process?.stop('SIGKILL');
    this.#process = null;
  }

  pause(): void {
    process.kill(this.#pid(), 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.#pid(), 'SIGCONT');
  }

  async post(path: string, body: unknown, token?: string): Promise<Record<string, unknown>> {
    const headers: Record<string, string> = token === undefined ? {} : { authorization: token };
    const response = await fetch(`${this.endpoint}/v3/${path}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });
    const answer = (await response.json()) as Record<string, unknown>;
    if (!response.ok) throw new Error(`${path}: ${JSON.stringify(answer)}`);
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #pid(): number {
    if (this.#process === null) throw new Error(`${this.#place.name} does not run`);
    return this.#process.pid;
  }

  /** It listens before it serves: the cluster must have a leader first. */
  async #answering(child: RunningProcess): Promise<void> {
    const ended = child.exited.then(() => true);
    for (const deadline = Date.now() + 20_000; Date.now() < deadline; ) {
      if (await this.#isReady()) return;
      if (await Promise.race([ended, sleep(20, false)])) break;
    }
    throw new Error(`${this.#place.name} does not answer: ${child.stderr()}`);
  }

  /** With TLS, that it listens must do: the callers there try again. */
  async #isReady(): Promise<boolean> {
    if (this.endpoint.startsWith('https:')) return this.#accepts();
    const response = await fetch(`${this.endpoint}/health`).catch(() => null);
    return response !== null && (await response.text()).includes('"true"');
  }

  async #accepts(): Promise<boolean> {
    const error = await fetch(this.endpoint).catch((failure: Error) => failure);
    return !(error instanceof Error && String(error.cause).includes('ECONNREFUSED'));
  }
}

async function leaderOf(members: readonly Member[]): Promise<EtcdMember> {
  for (const deadline = Date.now() + 10_000; Date.now() < deadline; await sleep(50)) {
    for (const member of members) {
      const status = await member.post('maintenance/status', {}).catch(() => null);
      const header = status?.['header'] as { member_id: string } | undefined;
      if (header !== undefined && header.member_id === status?.['leader']) return member;
    }
  }
  throw new Error('no leader');
}

/** A watch of the revision at which it is compacted is still served, so that one must be nobody's. */
async function compact(member: EtcdMember): Promise<void> {
  const answer = await member.post('kv/put', { key: base64('compacted'), value: '' });
  const { revision } = answer['header'] as { revision: string };
  await member.post('kv/compaction', { revision });
}

async function makeRoom([first, ...others]: readonly Member[]): Promise<void> {
  if (first === undefined) return;
  const { header } = await first.post('kv/range', { key: base64('any') });
  const { revision } = header as { revision: string };
  await first.post('kv/compaction', { revision, physical: true });
  for (const member of [first, ...others]) await member.post('maintenance/defragment', {});
  const { alarms = [] } = await first.post('maintenance/alarm', { action: 'GET' });
  for (const alarm of alarms as readonly object[])
    await first.post('maintenance/alarm', { ...alarm, action: 'DEACTIVATE' });
}

/** Keys and values of the gateway. */
export const base64 = (text: string): string => Buffer.from(text).toString('base64');
