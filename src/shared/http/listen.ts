/** Where a process may listen: loopback as it likes, anywhere else only with TLS and a token. */

import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { WatcherError } from '../domain/errors.ts';
import { isLoopback } from '../rules/loopback.ts';

export interface ListenAddress {
  /** A name, or an IP without brackets. */
  readonly host: string;
  readonly port: number;
}

export interface TlsFiles {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

/** IANA knows 9464 as the port of Prometheus exporters by OpenTelemetry. */
export const DEFAULT_LISTEN: ListenAddress = { host: '127.0.0.1', port: 9464 };

/** `HOST:PORT`, `[IPv6]:PORT`, `:PORT` or `PORT`, the latter two on 127.0.0.1. Throws WCH_SETTINGS. */
export function parseListen(text: string): ListenAddress {
  const match = /^(?:(?:\[(?<ipv6>[0-9a-f:.]+)\]|(?<name>[^\s:[\]/]*)):)?(?<port>\d{1,5})$/i.exec(
    text,
  );
  const { ipv6, name, port } = match?.groups ?? {};
  const host = ipv6 ?? (name || DEFAULT_LISTEN.host);
  const valid =
    port !== undefined && Number(port) <= 65_535 && (ipv6 === undefined || isIP(ipv6) === 6);
  if (valid) return { host, port: Number(port) };
  throw new WatcherError('WCH_SETTINGS', `listen: '${text}' is not HOST:PORT`);
}

/** Throws WCH_SETTINGS where other machines could speak to this process unasked and unheard. */
export function refuseExposed(
  listen: ListenAddress,
  { tls, token }: { readonly tls?: TlsFiles | undefined; readonly token?: string | undefined },
): void {
  if (isLoopback(listen.host)) return;
  const missing = [
    ...(tls === undefined ? ['listen_tls'] : []),
    ...(token === undefined ? ['listen_token'] : []),
  ];
  if (missing.length === 0) return;
  throw new WatcherError(
    'WCH_SETTINGS',
    `listen: ${formatAddress(listen)} is reachable from other machines, which needs TLS and a token; set ${missing.join(' and ')}, or listen on loopback`,
  );
}

/** Whether a connection to the IP `address` reaches a listener on `host`. */
export const serves = (host: string, address: string): boolean => {
  if (host === address) return true;
  if (host.toLowerCase() === 'localhost') return isLoopback(address);
  if (host !== '0.0.0.0' && host !== '::') return false;
  const own = Object.values(networkInterfaces()).flat();
  return isLoopback(address) || own.some((network) => network?.address === address);
};

export const formatAddress = ({ host, port }: ListenAddress): string =>
  isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
