/**
 * One worker of a pool as a whole process: started, killed, paused, stopped, started again under its
 * number, with its state folder, so that what it had not delivered arrives after the next start.
 */

import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startCommand } from './cli.ts';
import { freePort } from './free-ports.ts';
import { LineFile } from './line-file.ts';
import type { History } from './pool-history.ts';
import type { PoolLedger } from './pool-ledger.ts';
import type { Exit, RunningProcess } from './processes.ts';

export interface WorkerPlace {
  readonly number: number;
  /** Its own: settings, state, results. */
  readonly folder: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** `HOST:PORT:ADDRESS:PORT` of the target. */
  readonly connectTo: readonly string[];
  /** Of the real program unless a test has one of its own parts. */
  readonly command?: readonly string[];
  readonly ledger: PoolLedger;
  readonly history: History;
}

/** One line of its log. */
export interface LogLine {
  /** Wall clock, ms. */
  readonly at: number;
  readonly level: string;
  readonly msg: string;
  readonly jobset?: string;
  readonly token?: number;
}

const LOOK_MS = 50;
const REGISTERED_MS = 60_000;

export class PoolWorker implements AsyncDisposable {
  readonly number: number;
  readonly #place: WorkerPlace;
  readonly #results: LineFile;
  #process: RunningProcess | null = null;
  #port = 0;
  #id = '';

  constructor(place: WorkerPlace) {
    this.#place = place;
    this.number = place.number;
    this.#results = new LineFile(this.#file('results.jsonl'), (line) => place.history.take(line));
  }

  /** Its name in the ledger, another one after each start. */
  get id(): string {
    return this.#id;
  }

  get pid(): number {
    return this.#running.pid;
  }

  /** Of its listener. */
  get port(): number {
    return this.#port;
  }

  get runs(): boolean {
    return this.#process !== null;
  }

  /** Resolves when the ledger has it. */
  async start(): Promise<void> {
    const args = await this.prepare();
    const { env, command } = this.#place;
    this.#process = startCommand(args, { env, stdout: 'ignore', ...(command && { command }) });
    this.#id = await this.#registered();
  }

  /** For whoever else starts it: the arguments. */
  async prepare(): Promise<readonly string[]> {
    const { folder, args, connectTo } = this.#place;
    await mkdir(folder, { recursive: true });
    this.#port = await freePort();
    const settings = {
      ...{ run_at_start: false, state: this.#file('state'), connect_to: connectTo },
      listen: `127.0.0.1:${this.#port}`,
      sinks: [{ kind: 'jsonl', path: this.#file('results.jsonl') }],
    };
    // JSON is YAML.
    await writeFile(this.#file('watcher.yml'), JSON.stringify(settings));
    return ['worker', '--settings', this.#file('watcher.yml'), ...args];
  }

  /** SIGKILL. When it was sent; resolves when the process is gone. */
  async kill(): Promise<number> {
    const at = Date.now();
    await this.#running.stop('SIGKILL');
    this.#process = null;
    return at;
  }

  pause(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  /** SIGTERM, as an operator would; how it ended, and after how long. */
  async stop(): Promise<Exit & { readonly tookMs: number }> {
    const at = Date.now();
    const exit = await this.#running.stop('SIGTERM');
    this.#process = null;
    return { ...exit, tookMs: Date.now() - at };
  }

  /** What it has logged since its latest start. */
  *log(): Iterable<LogLine> {
    for (const line of this.#process?.stderr().split('\n') ?? []) {
      if (!line.startsWith('{')) continue;
      const { time, ...rest } = JSON.parse(line);
      yield { ...rest, at: Date.parse(time) };
    }
  }

  /** When it took a jobset on under that token; null when it has not. */
  heldAt(jobset: string, token: number): number | null {
    for (const line of this.log()) {
      const isIt = line.msg === 'holds' && line.jobset === jobset && Number(line.token) === token;
      if (isIt) return line.at;
    }
    return null;
  }

  /** Reads what it has delivered so far. */
  read(): Promise<void> {
    return this.#results.read();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.[Symbol.asyncDispose]();
  }

  get #running(): RunningProcess {
    if (this.#process === null) throw new Error(`worker ${this.number} does not run`);
    return this.#process;
  }

  async #registered(): Promise<string> {
    const child = this.#running;
    const ended = child.exited.then(() => true);
    for (const deadline = Date.now() + REGISTERED_MS; Date.now() < deadline; ) {
      const workers = await this.#place.ledger.workers().catch(() => []);
      const me = workers.find(({ listen }) => listen?.endsWith(`:${this.#port}`) === true);
      if (me !== undefined) return me.id;
      if (await Promise.race([ended, sleep(LOOK_MS, false)])) break;
    }
    throw new Error(`worker ${this.number} is not in the ledger: ${child.stderr()}`);
  }

  #file(name: string): string {
    return path.join(this.#place.folder, name);
  }
}
