/**
 * A private network for benchmarks and faults: namespaces of its own, with nothing but the loopback
 * device. What is broken or measured there touches nothing else, no packet can leave, and no process
 * outlives it. Needs no root where user namespaces are allowed.
 */

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';

/** Set inside, so that the script that comes back knows where it is. */
const MARK = 'WATCHER_TEST_NAMESPACE';
/** The first process of a PID namespace takes all others with it, and goes when its starter goes. */
const PROCESSES = ['--pid', '--fork', '--kill-child', '--mount-proc'];
const UNSHARE = ['--map-root-user', '--net', '--mount', ...PROCESSES, '--'];

/**
 * Sysctls of the private network. Reuse of TIME_WAIT on loopback (the default) would hide what a
 * real network shows; a minute of fresh connections leaves 100,000 of them behind.
 */
const SYSCTLS = { tcp_tw_reuse: 0, tcp_max_tw_buckets: 262_144 };

export const namespacesWork = (): boolean =>
  spawnSync('unshare', [...UNSHARE, 'ip', 'link', 'set', 'lo', 'up']).status === 0;

export const isInsideNamespace = (): boolean => process.env[MARK] === '1';

/**
 * Runs the main script again inside a namespace and ends with its exit code; resolves only inside,
 * or to `false` where namespaces are not allowed.
 */
export async function enterNamespace(): Promise<boolean> {
  if (isInsideNamespace()) return true;
  if (!namespacesWork()) return false;
  const command = [...UNSHARE, process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'unshare', ...command], {
    stdio: 'inherit',
    env: { ...process.env, [MARK]: '1' },
  });
  const [code, signal] = await once(child, 'exit');
  if (signal !== null) console.error(`ended by ${signal}`);
  process.exit(code ?? 1);
}

/** To be called once inside, before anything listens. */
export function raiseNetwork(): void {
  ip('link', 'set', 'lo', 'up');
  for (const [name, value] of Object.entries(SYSCTLS)) {
    writeFileSync(`/proc/sys/net/ipv4/${name}`, String(value));
  }
}

/** Takes every address but 127.0.0.1 away: connecting to them is "network is unreachable". */
export const cutNetwork = (): void =>
  ip('route', 'del', 'local', '127.0.0.0/8', 'dev', 'lo', 'table', 'local');
export const restoreNetwork = (): void =>
  ip('route', 'add', 'local', '127.0.0.0/8', 'dev', 'lo', 'table', 'local');

/** Lets every process of the namespace ask the resolver given, instead of the machine's. */
export function useResolver(nameserver: string, folder: string): void {
  const file = `${folder}/resolv.conf`;
  writeFileSync(file, `nameserver ${nameserver}\n`);
  execFileSync('mount', ['--bind', file, '/etc/resolv.conf']);
}

const ip = (...args: readonly string[]): void => {
  execFileSync('ip', args);
};
