/** `watcher run --demo`: something to watch on a machine where nothing else runs. */

import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { ListenAddress } from '../shared/http/listen.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import { startDemoService } from './demo-service.ts';

/** The check files that come with watcher. */
export const DEMO_DIR = fileURLToPath(new URL('../../configs', import.meta.url));

export interface Demo extends AsyncDisposable {
  /** The check files name two services, whose ports may be others on this machine. */
  readonly connectTo: readonly string[];
  /** Where watcher itself is to listen; free a moment ago. */
  readonly listen: ListenAddress;
}

/** As configs/demo.yml names them. `.test` is reserved: nobody's name servers know it. */
const SERVICE = 'demo.watcher.test:80';
const WATCHER = 'localhost:9464';

export const startDemo = async (wanted: ListenAddress, clock: Clock): Promise<Demo> => {
  const service = await startDemoService(clock);
  const listen = await freeFrom(wanted);
  return {
    connectTo: [`${SERVICE}:127.0.0.1:${service.port}`, `${WATCHER}:${listen.host}:${listen.port}`],
    listen,
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  };
};

/** The probe must know the port before the server has it, so it is looked for beforehand. */
const freeFrom = async (wanted: ListenAddress): Promise<ListenAddress> => {
  for (let port = wanted.port; port < wanted.port + 20; port++) {
    const server = createServer();
    try {
      await once(server.listen(port, wanted.host), 'listening');
      return { ...wanted, port };
    } catch {
    } finally {
      server.close();
    }
  }
  return wanted;
};
