/**
 * Ports for servers of tests. Not by asking the system for port 0: those are also given to connections,
 * and a server that is started late, or again, finds its port taken.
 */

import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below what Linux, macOS and the IANA give to connections, above what servers are known by. */
const [FIRST, LAST] = [15_000, 32_000];

/** Each process begins elsewhere and goes on from there, so that two hardly ever meet. */
let next = FIRST + Math.floor(Math.random() * (LAST - FIRST));

export const freePort = (): Promise<number> => freePorts(1);

/** The first of as many in a row. */
export async function freePorts(count: number): Promise<number> {
  for (let tries = 0; tries < LAST - FIRST; tries += count) {
    const first = next + count > LAST ? FIRST : next;
    next = first + count;
    const ports = Array.from({ length: count }, (_, i) => first + i);
    const free = await Promise.all(ports.map(isFree));
    if (free.every((is) => is)) return first;
  }
  throw new Error(`no ${count} free ports in a row from ${FIRST} to ${LAST}`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '0.0.0.0');
  const listens = await Promise.race([
    once(server, 'listening').then(() => true),
    once(server, 'error').then(() => false),
  ]);
  if (!listens) return false;
  server.close();
  await once(server, 'close');
  return true;
}
