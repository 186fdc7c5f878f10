/**
 * A small service to watch on a machine where nothing else runs: one route that is well, and one
 * for each way of not being so.
 */

import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../shared/runtime/clock.ts';

export interface DemoService extends AsyncDisposable {
  /** On 127.0.0.1, free when it was taken. */
  readonly port: number;
}

const SLOW_MS = 600;
/** Every third request to it fails. */
const FLAKY = 3;

type Answer = (response: ServerResponse) => void;

export async function startDemoService(clock: Pick<Clock, 'after'>): Promise<DemoService> {
  const routes = routesOf(clock);
  const server = createServer((request, response) => {
    const answer = routes.get(request.url ?? '') ?? notFound;
    answer(response);
  });
  const { promise: listening, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject).listen(0, '127.0.0.1', resolve);
  await listening;
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

const routesOf = (clock: Pick<Clock, 'after'>): ReadonlyMap<string, Answer> => {
  let asked = 0;
  const well = { status: 'ok', version: '1.4.2' };
  return new Map<string, Answer>([
    ['/healthy', (response) => send(response, 200, well)],
    ['/slow', (response) => void clock.after(SLOW_MS, () => send(response, 200, well))],
    [
      '/flaky',
      (response) => {
        if (++asked % FLAKY === 0) send(response, 503, { status: 'overloaded' });
        else send(response, 200, well);
      },
    ],
    ['/broken', (response) => send(response, 200, { ...well, status: 'database unreachable' })],
  ]);
};

const notFound: Answer = (response) => send(response, 404, { status: 'no such route' });

const send = (response: ServerResponse, status: number, body: object): void => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
};
