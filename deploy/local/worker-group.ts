/**
 * The instances of the group: worker processes, as many as are wanted. One that ends by itself is replaced;
 * one that is not wanted any more is asked to end, hands its checks on, and is waited for.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import path from 'node:path';
import { systemClock } from '../../src/shared/runtime/clock.ts';

export interface WorkerGroupOptions {
  /** Program and arguments; `{n}` in them becomes the number of the worker. */
  readonly command: readonly string[];
  /** Folder of what workers write to stdout and stderr. */
  readonly logs: string;
  /** For so long a worker does not show in the level. */
  readonly warmUpMs: number;
  readonly say: (who: string, what: string) => void;
}

interface Instance {
  readonly name: string;
  readonly child: ChildProcess;
  /** Monotonic. */
  readonly startedAt: number;
}

/** Before a worker that has ended by itself is replaced. */
const REPLACE_MS = 5_000;
/** A worker drains for 12 s and delivers for some more, unless its settings say otherwise. */
const KILL_MS = 30_000;

export class WorkerGroup implements AsyncDisposable {
  readonly #options: WorkerGroupOptions;
  /** The one that was started last is the last. */
  readonly #running: Instance[] = [];
  readonly #leaving = new Set<Promise<void>>();
  #wanted = 0;
  #started = 0;

  constructor(options: WorkerGroupOptions) {
    this.#options = options;
  }

  get wanted(): number {
    return this.#wanted;
  }

  get warm(): number {
    const now = systemClock.monotonicMs();
    return this.#running.filter(({ startedAt }) => now - startedAt >= this.#options.warmUpMs)
      .length;
  }

  want(workers: number): void {
    this.#wanted = workers;
    while (this.#running.length < workers) this.#start();
    for (const instance of this.#running.splice(workers)) this.#leave(instance);
  }

  /** All of them go, and are waited for. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.want(0);
    await Promise.all(this.#leaving);
  }

  #start(): void {
    const { command, logs, say } = this.#options;
    this.#started += 1;
    const number = String(this.#started);
    const name = `worker-${number}`;
    const [program = '', ...args] = command.map((part) => part.replaceAll('{n}', number));
    const [out, log] = ['out', 'log'].map((kind) =>
      openSync(path.join(logs, `${name}.${kind}`), 'a'),
    );
    // In a group of its own: Ctrl-C is for the script, which stops its workers in order.
    const child = spawn(program, args, { detached: true, stdio: ['ignore', out, log] });
    for (const file of [out, log]) if (file !== undefined) closeSync(file);
    const instance = { name, child, startedAt: systemClock.monotonicMs() };
    this.#running.push(instance);
    child.once('error', ({ message }) => say(name, `cannot be started: ${message}`));
    child.once('close', (code, signal) => this.#ended(instance, signal ?? `code ${code}`));
    if (child.pid !== undefined) say(name, `started, process ${child.pid}`);
  }

  #leave({ name, child }: Instance): void {
    this.#options.say(name, 'drains');
    const killed = systemClock.after(KILL_MS, () => child.kill('SIGKILL'));
    const left = new Promise<void>((resolve) => {
      if (child.pid === undefined || child.exitCode !== null) resolve();
      else child.once('close', () => resolve());
    });
    const gone = left.then(() => {
      killed.cancel();
      this.#leaving.delete(gone);
    });
    this.#leaving.add(gone);
    child.kill('SIGTERM');
  }

  #ended(instance: Instance, how: string): void {
    const { say, logs } = this.#options;
    const place = this.#running.indexOf(instance);
    if (place < 0) return say(instance.name, `has left: ${how}`);
    this.#running.splice(place, 1);
    say(instance.name, `has ended by itself: ${how}; its log: ${logs}/${instance.name}.log`);
    systemClock.after(REPLACE_MS, () => this.want(this.#wanted));
  }
}
