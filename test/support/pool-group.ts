/**
 * The autoscaling group of deploy/local beside a pool without workers: it starts and stops them as the
 * published level says, and what they deliver is in the pool's history.
 */

import path from 'node:path';
import type { Pool } from './pool-processes.ts';
import { type RunningProcess, startProcess } from './processes.ts';

export interface PoolGroupOptions {
  /** Where its CloudWatch answers; the admin must know it already. */
  readonly port: number;
  readonly most: number;
  readonly args?: readonly string[];
}

const SCRIPT = path.resolve(import.meta.dirname, '../../deploy/local/autoscale.sh');

export class PoolGroup implements AsyncDisposable {
  /** What it has said. */
  readonly lines: string[] = [];
  readonly #process: RunningProcess;

  private constructor(child: RunningProcess) {
    this.#process = child;
    void (async () => {
      for await (const line of child.lines) this.lines.push(line);
    })();
  }

  /** The pool's numbers of its workers begin with 1. */
  static async start(pool: Pool, { port, most, args = [] }: PoolGroupOptions): Promise<PoolGroup> {
    const folder = (name: string): string => path.join(pool.folder, name);
    const prepared: (readonly string[])[] = [];
    for (let number = 1; number <= most; number++) {
      prepared.push(await (await pool.place(number)).prepare());
    }
    const [, ...first] = prepared[0] ?? [];
    const own = ['--max', `${most}`, '--listen', `127.0.0.1:${port}`, '--logs', folder('logs')];
    const all = first.map((arg) => arg.replace(folder('worker-1'), folder('worker-{n}')));
    return new PoolGroup(startProcess([SCRIPT, ...own, ...args, '--', ...all]));
  }

  /** Its workers end with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop('SIGTERM');
  }
}
