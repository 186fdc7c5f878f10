/**
 * A private network for benchmarks and faults: a network and mount namespace of its own, with
 * nothing but the loopback device. What is broken or measured there touches nothing else, and
 * no packet can leave. Needs no root where user namespaces are allowed.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

/** Set inside, so that the script that comes back knows where it is. */
const MARK = 'WATCHER_TEST_NAMESPACE';
const UNSHARE = ['--map-root-user', '--net', '--mount', '--'];

/**
 * Sysctls of the private network. Reuse of TIME_WAIT on loopback (the default) would hide what a
 * real network shows; a minute of fresh connections leaves 100,000 of them behind.
 */
const SYSCTLS = { tcp_tw_reuse: 0, tcp_max_tw_buckets: 262_144 };

export const namespacesWork = (): boolean =>
  spawnSync('unshare', [...UNSHARE, 'ip', 'link', 'set', 'lo', 'up']).status === 0;

export const isInsideNamespace = (): boolean => process.env[MARK] === '1';

/**
 * Runs the main script again inside a namespace and ends with its exit code; returns only inside,
 * or `false` where namespaces are not allowed.
 */
export function enterNamespace(): boolean {
  if (isInsideNamespace()) return true;
  if (!namespacesWork()) return false;
  const command = [...UNSHARE, process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const child = spawnSync('unshare', command, {
    stdio: 'inherit',
    env: { ...process.env, [MARK]: '1' },
  });
  process.exit(child.status ?? 1);
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
