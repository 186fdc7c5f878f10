/** `watcher run` as a whole process: what a user starts, and what can be seen of it from outside. */

import path from 'node:path';
import { request } from 'undici';
import { freePort } from './free-ports.ts';
import { listening, type RunningProcess, startProcess } from './processes.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');

/** As the command's first line has it. */
export const COMMAND_FLAGS = ['--max-semi-space-size=8'];

/** The sources as they stand, for tests; what is published, for benchmarks. */
export const SOURCE_COMMAND = [process.execPath, ...COMMAND_FLAGS, path.join(ROOT, 'src/cli.ts')];
export const BUILT_COMMAND = [process.execPath, ...COMMAND_FLAGS, path.join(ROOT, 'dist/cli.js')];

/** It listens when its folder is loaded; that of a benchmark takes a while. */
const LOADED_MS = 120_000;

export interface WatcherOptions {
  readonly command?: readonly string[];
  readonly config: string;
  readonly args?: readonly string[];
  /** Put before the command: `unshare …`, `sh -c 'ulimit …; exec "$@"' --`. */
  readonly within?: readonly string[];
  /** Where the result lines go; `pipe` to read them. */
  readonly stdout?: 'pipe' | 'ignore' | number;
}

export interface WatcherProcess extends AsyncDisposable {
  readonly pid: number;
  /** Of its listener. */
  readonly port: number;
  readonly process: RunningProcess;
  metrics(): Promise<Metrics>;
  /** Ends it as an operator would, and waits. */
  stop(): Promise<void>;
}

export async function startWatcher(options: WatcherOptions): Promise<WatcherProcess> {
  const { command = SOURCE_COMMAND, config, args = [], within = [], stdout = 'pipe' } = options;
  const port = await freePort();
  const listen = ['--listen', `127.0.0.1:${port}`];
  const child = startProcess(
    [...within, ...command, 'run', '--config', config, ...listen, ...args],
    {
      stdout,
    },
  );
  await listening(port, child, LOADED_MS);
  return {
    pid: child.pid,
    port,
    process: child,
    metrics: async () => {
      const { body } = await request(`http://127.0.0.1:${port}/metrics`);
      return new Metrics(await body.text());
    },
    stop: async () => {
      await child.stop();
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}

/** One reading of `/metrics`. */
export class Metrics {
  readonly #series = new Map<string, number>();

  constructor(text: string) {
    for (const line of text.split('\n')) {
      const [, series, value] = /^([a-z_]+(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
      if (series !== undefined) this.#series.set(series, Number(value));
    }
  }

  /** Values by the values of a label. */
  each(name: string, label: string): ReadonlyMap<string, number> {
    const values = new Map<string, number>();
    for (const [series, value] of this.#series) {
      const [, key] = new RegExp(`^${name}{.*${label}="([^"]*)"`).exec(series) ?? [];
      if (key !== undefined) values.set(key, value);
    }
    return values;
  }

  /** The sum over all label values, or over those that carry the one given: `status="critical"`. */
  total(name: string, label = ''): number {
    let sum = 0;
    for (const [series, value] of this.#series) {
      if (series === name || (series.startsWith(`${name}{`) && series.includes(label)))
        sum += value;
    }
    return sum;
  }
}
