/** Targets for workers that stand in different networks. */

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';

/** Says that it is well, to whoever gets there. */
export async function serveTargets(port: number, address: string): Promise<Server> {
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'application/json');
    response.end('{"status":"ok"}');
  });
  await once(server.listen(port, address), 'listening');
  return server;
}

/** A neighbour that does not answer. */
export const SILENT = '10.97.0.9';

/** The wire that it would hang on. */
export function layWire(): void {
  const ip = (...args: readonly string[]) => execFileSync('ip', args);
  ip('link', 'add', 'wire0', 'type', 'veth', 'peer', 'name', 'wire1');
  ip('address', 'add', '10.97.0.1/24', 'dev', 'wire0');
  for (const end of ['wire0', 'wire1']) ip('link', 'set', end, 'up');
}
