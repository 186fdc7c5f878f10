/** The sockets under the clients of AWS, for `--connect-to`: the SDK → **agents** → network. */

import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { ConnectTo } from '../../rules/connect-to.ts';

export interface ConnectAgents {
  readonly httpAgent: HttpAgent;
  readonly httpsAgent: HttpsAgent;
}

/** As many as the SDK's own agents have. */
const KEPT = { keepAlive: true, maxSockets: 50 } as const;

/**
 * Only the socket goes elsewhere: the Host header, the signature and the server name of TLS are made
 * before a socket is asked for, of the endpoint that the SDK chose.
 */
export const connectAgents = (connectTo: ConnectTo): ConnectAgents => {
  const placeOf = ({ host, port }: Aim): Aim =>
    connectTo(String(host ?? '').toLowerCase(), Number(port)) ?? {};

  class ElsewhereHttp extends HttpAgent {
    override createConnection(...[options, done]: Parameters<HttpAgent['createConnection']>) {
      return super.createConnection({ ...options, ...placeOf(options) }, done);
    }
  }
  class ElsewhereHttps extends HttpsAgent {
    override createConnection(...[options, done]: Parameters<HttpsAgent['createConnection']>) {
      return super.createConnection({ ...options, ...placeOf(options) }, done);
    }
  }
  return { httpAgent: new ElsewhereHttp(KEPT), httpsAgent: new ElsewhereHttps(KEPT) };
};

interface Aim {
  readonly host?: string | null | undefined;
  readonly port?: number | string | null | undefined;
}
