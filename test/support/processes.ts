/** Real processes for tests and benchmarks: started, read line by line, measured, always ended. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface RunningProcess extends AsyncDisposable {
  readonly pid: number;
  /** Resolves when it has ended and its output has been read. */
  readonly exited: Promise<Exit>;
  /** Everything it has written to stderr so far: the reason, where it ends too early. */
  readonly stderr: () => string;
  /** Lines of its stdout, each once; empty where stdout goes elsewhere. */
  readonly lines: AsyncIterableIterator<string>;
  send(message: string): void;
  stop(signal?: NodeJS.Signals): Promise<Exit>;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** `pipe` for `lines`, or the descriptor of a file. */
  readonly stdout?: 'pipe' | 'ignore' | number;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export function startProcess(
  command: readonly string[],
  options: StartOptions = {},
): RunningProcess {
  const [file = '', ...args] = command;
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['pipe', options.stdout ?? 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  const exited = endOf(child);
  const stop = (signal: NodeJS.Signals = 'SIGTERM') => {
    child.kill(signal);
    return exited;
  };
  return {
    pid: child.pid ?? 0,
    exited,
    stderr: () => stderr,
    lines: linesOf(child),
    send: (message) => child.stdin?.write(`${message}\n`),
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop('SIGKILL');
    },
  };
}

async function endOf(child: ChildProcess): Promise<Exit> {
  running.add(child);
  try {
    const [code, signal] = await once(child, 'close');
    return { code, signal };
  } finally {
    running.delete(child);
  }
}

async function* linesOf(child: ChildProcess): AsyncIterableIterator<string> {
  if (child.stdout !== null) yield* createInterface({ input: child.stdout });
}

/** Runs to the end; throws with what it said on stderr when it fails. */
export async function outputOf(
  command: readonly string[],
  options: StartOptions = {},
): Promise<string> {
  await using child = startProcess(command, options);
  const lines: string[] = [];
  for await (const line of child.lines) lines.push(line);
  const { code, signal } = await child.exited;
  if (code !== 0)
    throw new Error(`${command.join(' ')} ended with ${code ?? signal}: ${child.stderr()}`);
  return lines.join('\n');
}

/** User and system time of all its threads so far; the kernel rounds to 10 ms. */
export async function cpuMsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The second field is the program's name and may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

export interface Memory {
  readonly rssBytes: number;
  /** The highest since it started. */
  readonly peakBytes: number;
}

export async function memoryOf(pid: number): Promise<Memory> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const bytes = (field: string) =>
    1024 * Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
  return { rssBytes: bytes('VmRSS'), peakBytes: bytes('VmHWM') };
}

/** Until something listens there; throws when the process ends first or the time is over. */
export async function listening(
  port: number,
  by: RunningProcess,
  withinMs = 10_000,
): Promise<void> {
  const ended = by.exited.then(() => true);
  for (const deadline = Date.now() + withinMs; Date.now() < deadline; ) {
    if (await accepts(port)) return;
    if (await Promise.race([ended, sleep(10, false)])) break;
  }
  throw new Error(`nothing listens on port ${port}: ${by.stderr()}`);
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
