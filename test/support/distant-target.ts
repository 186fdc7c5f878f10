/**
 * A target with an event loop of its own, in a thread, so that it lives on while the loop of the test
 * stands still, and so that its own loop can stand still.
 */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

export interface DistantTarget extends AsyncDisposable {
  readonly port: number;
  /** `127.0.0.1:PORT`. */
  readonly at: string;
}

export type DistantBehaviour =
  | { readonly kind: 'answers'; readonly afterMs: number; readonly closesAfterMs?: number }
  | { readonly kind: 'says nothing' }
  | { readonly kind: 'closes'; readonly afterMs: number }
  /** The queue of connections is short and nobody takes them: the third one hangs. */
  | { readonly kind: 'accepts nothing' };

/** Plain JavaScript, as threads of a test run get no transpiler. */
const PROGRAM = `
const { createServer } = require('node:net');
const { parentPort, workerData: { kind, afterMs, closesAfterMs } } = require('node:worker_threads');
const answer = 'HTTP/1.1 200 OK\\r\\ncontent-length: 4\\r\\n\\r\\nfine';
const server = createServer((socket) => {
  socket.on('error', () => {});
  socket.on('data', () => {
    if (kind === 'answers') setTimeout(() => socket.write(answer), afterMs);
    if (kind === 'answers' && closesAfterMs !== undefined) setTimeout(() => socket.end(), closesAfterMs);
  });
  if (kind === 'closes') setTimeout(() => socket.end(), afterMs);
});
server.listen({ port: 0, host: '127.0.0.1', backlog: kind === 'accepts nothing' ? 1 : 4096 }, () => {
  parentPort.postMessage(server.address().port);
  if (kind !== 'accepts nothing') return;
  // The message must leave first.
  setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 30_000));
});
`;

export async function startDistantTarget(behaviour: DistantBehaviour): Promise<DistantTarget> {
  const worker = new Worker(PROGRAM, { eval: true, workerData: behaviour });
  const [port] = (await once(worker, 'message')) as [number];
  return {
    port,
    at: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      await worker.terminate();
    },
  };
}

/** The event loop of this thread stands still. */
export function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
