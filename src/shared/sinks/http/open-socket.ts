/**
 * Opens one connection to a sink: host and port → **name, address, socket, TLS** → undici. The socket
 * goes where `--connect-to` says; whose certificate must be shown is what the URL says, as with curl.
 */

import { connect as connectTcp, isIP, type LookupFunction, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls } from 'node:tls';
import { refusedAddress, refusedHost } from '../../rules/address-policy.ts';
import type { ConnectTo, Place } from '../../rules/connect-to.ts';
import type { Clock } from '../../runtime/clock.ts';
import { failureAt, HttpFailure } from './failure.ts';
import { refused } from './guarded-lookup.ts';

/** Name, TCP and TLS together. */
const CONNECT_MS = 3_000;

export interface Endpoint {
  /** In lower case, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
}

export interface OpenSocketOptions {
  readonly clock: Clock;
  readonly connectTo: ConnectTo;
  readonly lookup: LookupFunction;
  /** Gives up; has no effect on an open socket. */
  readonly signal: AbortSignal;
}

/** Rejects with an `HttpFailure`. */
export const openSocket = async (
  endpoint: Endpoint,
  { clock, connectTo, lookup, signal }: OpenSocketOptions,
): Promise<Socket> => {
  const where = whereOf(endpoint);
  const place = connectTo(endpoint.host, endpoint.port) ?? endpoint;
  const refusal = refusedHost(place.host) ?? (isIP(place.host) ? refusedAddress(place.host) : null);
  if (refusal !== null) throw refused(place.host, refusal);
  if (signal.aborted) throw failureAt(where, signal.reason);
  const socket = connectSocket(endpoint, { host: place.host, port: place.port, lookup });
  const giveUp = (): void => {
    socket.destroy(signal.reason);
  };
  const late = new HttpFailure(`${where}: no connection within ${CONNECT_MS / 1000} s`);
  const timer = clock.after(CONNECT_MS, () => socket.destroy(late));
  signal.addEventListener('abort', giveUp);
  try {
    await connected(socket, endpoint.secure ? 'secureConnect' : 'connect');
    return socket;
  } catch (error) {
    throw failureAt(where, error);
  } finally {
    timer.cancel();
    signal.removeEventListener('abort', giveUp);
  }
};

/** For messages: nothing else of a URL, which may hold a key, is ever shown. */
export const whereOf = ({ host, port }: Place): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

const connectSocket = (
  { host, secure }: Endpoint,
  place: Place & Pick<OpenSocketOptions, 'lookup'>,
): Socket => {
  const options = { ...place, noDelay: true, autoSelectFamily: true };
  if (!secure) return connectTcp(options);
  return connectTls({
    ...options,
    servername: isIP(host) === 0 ? host : '',
    checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate),
    ALPNProtocols: ['http/1.1'],
  });
};

const connected = (socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.once(event, () => resolve());
    // Stays on for good: an error before the next owner listens must find a listener.
    socket.on('error', reject);
  });
