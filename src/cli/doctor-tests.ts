/** What `watcher doctor` tests besides the sinks: what a run needs of this machine. */

import { lookup, Resolver } from 'node:dns/promises';
import { mkdir, open, readFile, rm, rmdir, statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import type { Settings } from '../shared/config/settings.ts';
import { formatAddress, type ListenAddress } from '../shared/http/listen.ts';
import type { Verification } from '../shared/sinks/destination.ts';
import { ask } from './client.ts';
import { sizeText } from './size-text.ts';

const ok = (message: string): Verification => ({ state: 'ok', message });
const failed = (message: string): Verification => ({ state: 'failed', message });
const untested = (message: string): Verification => ({ state: 'untested', message });

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';

/** As package.json has it in `engines`. */
const OLDEST_NODE = 24;

export const testNode = (version: string): Verification =>
  Number.parseInt(version, 10) >= OLDEST_NODE
    ? ok(`Node ${version}`)
    : failed(`Node ${version} is too old; install Node ${OLDEST_NODE} or later`);

/** The journal of undelivered results and the room to rewrite it. */
const LEAST_FREE_BYTES = 300 * 1024 * 1024;

export const testState = async (folder: string | null): Promise<Verification> => {
  if (folder === null)
    return untested('switched off: what is not delivered when the process ends is lost');
  try {
    const made = await mkdir(folder, { recursive: true, mode: 0o700 });
    const { bavail, bsize } = await statfs(folder);
    const probe = join(folder, `.doctor-${process.pid}`);
    try {
      await writeAndSync(probe);
    } finally {
      await rm(probe, { force: true });
      if (made !== undefined) await removeEmpty(folder, made);
    }
    return roomIn(folder, bavail * bsize);
  } catch (error) {
    return failed(`${folder} cannot be written (${codeOf(error)}); name another with --state`);
  }
};

/** Up to the first folder that was made; a run that has begun meanwhile keeps its own. */
const removeEmpty = async (folder: string, made: string): Promise<void> => {
  const first = resolve(made);
  for (let one = resolve(folder); one.startsWith(first); one = dirname(one)) {
    try {
      await rmdir(one);
    } catch {
      return;
    }
  }
};

const writeAndSync = async (path: string): Promise<void> => {
  await using file = await open(path, 'wx', 0o600);
  await file.writeFile('watcher doctor\n');
  await file.sync();
};

export const roomIn = (folder: string, bytes: number): Verification => {
  const free = `${folder} can be written, ${sizeText(bytes)} free`;
  return bytes >= LEAST_FREE_BYTES
    ? ok(free)
    : failed(
        `${free}; ${sizeText(LEAST_FREE_BYTES)} are wanted for what waits while a sink is down`,
      );
};

/** A run takes the next free port where this one is taken, which nobody who asks it expects. */
export const testListener = async (
  listen: ListenAddress,
  { isTls }: { readonly isTls: boolean },
): Promise<Verification> => {
  const address = formatAddress(listen);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const server = createServer();
  server.once('error', reject).listen(listen.port, listen.host, resolve);
  try {
    await promise;
    return ok(`${address} is free`);
  } catch (error) {
    const code = codeOf(error);
    if (code !== 'EADDRINUSE') return failed(`${address} cannot be listened on (${code})`);
    return (await isWatcher(listen, isTls))
      ? ok(`${address} is in use by a running watcher`)
      : failed(`${address} is in use by another program; name another with --listen`);
  } finally {
    server.close();
  }
};

const isWatcher = async ({ host, port }: ListenAddress, isTls: boolean): Promise<boolean> => {
  const reached = { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host;
  const url = `${isTls ? 'https' : 'http'}://${formatAddress({ host: reached, port })}`;
  try {
    const { body } = await ask(url, '/healthz');
    return typeof body === 'object' && body !== null && 'status' in body;
  } catch {
    return false;
  }
};

/** The server's own word, whatever it is: only silence is a fault of it. */
const ANSWERS: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA']);

/** `name` is one that the checks ask for. */
export const testNames = async (
  dns: Settings['dns'],
  name: string | undefined,
): Promise<Verification> => {
  if (name === undefined) return untested('no check has a name that must be looked up');
  const resolver = new Resolver({ timeout: 3_000, tries: 2 });
  if (dns !== 'own' && dns !== 'system') resolver.setServers(dns.split(','));
  const who = dns === 'system' ? 'the system' : resolver.getServers().join(', ');
  try {
    await (dns === 'system' ? lookup(name) : resolver.resolve4(name));
    return ok(`${who} knows ${name}`);
  } catch (error) {
    const code = codeOf(error);
    return ANSWERS.has(code)
      ? ok(`${who} answers, and knows no IPv4 address of ${name}`)
      : failed(`${who} does not answer for ${name} (${code}); see the setting dns`);
  }
};

/** A socket a run, name servers, sinks, the listener's callers, files. */
const descriptorsFor = (concurrency: number): number => 2 * concurrency + 100;

const LIMITS_FILE = '/proc/self/limits';

export const testDescriptors = async (concurrency: number): Promise<Verification> => {
  try {
    const [, limit] =
      /^Max open files\s+(\d+|unlimited)/m.exec(await readFile(LIMITS_FILE, 'utf8')) ?? [];
    return limit === undefined
      ? untested('this system does not say')
      : descriptors(limit, concurrency);
  } catch {
    return untested('this system does not say how many a process may have');
  }
};

export const descriptors = (limit: string, concurrency: number): Verification => {
  const wanted = descriptorsFor(concurrency);
  const text = `${limit} may be open, concurrency ${concurrency} wants ${wanted}`;
  return limit === 'unlimited' || Number(limit) >= wanted
    ? ok(text)
    : failed(`${text}; raise ulimit -n (LimitNOFILE=), or lower concurrency`);
};
