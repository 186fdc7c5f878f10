/**
 * A worker in a network namespace of its own (`unshare --net node walled-worker.ts SOCKET ETCD TARGETS
 * ARGUMENT…`), with no way out. What it needs of the world outside is there: etcd at
 * its usual port, through a Unix socket, and the targets that everybody reaches.
 */

import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { pipeline } from 'node:stream';
import { startCommand } from '../support/cli.ts';
import { raiseNetwork } from '../support/network-namespace.ts';
import { layWire, serveTargets } from './road-targets.ts';

const [socket = '', etcdPort = '', targetPort = '', ...args] = process.argv.slice(2);
raiseNetwork();
layWire();
const wall = createServer((inside) => {
  const outside = connect(socket);
  pipeline(inside, outside, inside, () => {});
});
await once(wall.listen(Number(etcdPort), '127.0.0.1'), 'listening');
await serveTargets(Number(targetPort), '127.0.0.1');
const worker = startCommand(args, { stdout: 1 });
process.on('SIGTERM', () => void worker.stop());
const { code } = await worker.exited;
if (code !== 0) console.error(worker.stderr());
process.exit(code ?? 1);
