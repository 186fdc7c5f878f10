/** What belongs together among the settings of a pool: given → **pool settings**. */

import { WatcherError } from '../domain/errors.ts';
import type { EtcdSettings, PoolSettings, PoolTiming } from '../domain/pool-settings.ts';
import { isLoopback } from '../rules/loopback.ts';
import type { GivenSettings } from './settings-schema.ts';

type ValueOf = <N extends keyof GivenSettings>(name: N) => NonNullable<GivenSettings[N]>;

/** `of` says what counts where nothing is given. Throws WCH_SETTINGS. */
export const poolOf = (given: GivenSettings, of: ValueOf): PoolSettings => ({
  etcd: etcdOf(given),
  prefix: of('etcd_prefix'),
  zone: given.zone ?? null,
  onCoordinationLoss: of('on_coordination_loss'),
  poolKey: given.pool_key ?? null,
  timing: timingOf(of),
  scaling: {
    mode: of('scaling.mode'),
    pool: of('scaling.pool'),
    waitingGraceMs: of('scaling.waiting_grace'),
    command: given['scaling.command'] ?? null,
    webhook: given['scaling.webhook'] ?? null,
  },
});

const etcdOf = (given: GivenSettings): EtcdSettings | null => {
  const endpoints = (given.etcd ?? [])
    .flatMap((text) => text.split(','))
    .map((url) => url.trim())
    .filter((url) => url !== '')
    .map(endpointOf);
  if (endpoints.length === 0) return null;
  return { endpoints: [...new Set(endpoints)], tls: tlsOf(given), auth: authOf(given) };
};

const endpointOf = (text: string): string => {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isEndpoint =
    url !== null &&
    ['http:', 'https:'].includes(url.protocol) &&
    /:\d+\/?$/.test(text) &&
    `${url.username}${url.password}${url.search}${url.hash}` === '';
  // What stands before an @ may be a password.
  const shown = text.replace(/^.*@/s, '…@');
  if (!isEndpoint) throw refused(`etcd: '${shown}' is not http://HOST:PORT or https://HOST:PORT`);
  if (url.protocol === 'https:' || isLoopback(url.hostname.replace(/^\[|\]$/g, '')))
    return text.replace(/\/$/, '');
  throw refused(
    `etcd: ${shown} is on another machine, where plain http shows all to everybody on the way; use https, with etcd_tls.ca, etcd_tls.cert and etcd_tls.key`,
  );
};

const tlsOf = (given: GivenSettings): EtcdSettings['tls'] => {
  const { 'etcd_tls.ca': caFile, 'etcd_tls.cert': certFile, 'etcd_tls.key': keyFile } = given;
  if ((certFile === undefined) !== (keyFile === undefined))
    throw refused('etcd_tls: cert and key belong together; one is missing');
  if (caFile === undefined && certFile === undefined) return null;
  return {
    ...(caFile === undefined ? {} : { caFile }),
    ...(certFile === undefined ? {} : { certFile }),
    ...(keyFile === undefined ? {} : { keyFile }),
  };
};

const authOf = (given: GivenSettings): EtcdSettings['auth'] => {
  const { 'etcd_auth.username': username, 'etcd_auth.password': password } = given;
  if (username !== undefined && password !== undefined) return { username, password };
  if (username === undefined && password === undefined) return null;
  throw refused('etcd_auth: username and password belong together; one is missing');
};

/**
 * A sign of life is a renewal and a transaction: one that comes late by both of their deadlines must
 * still come before the lease stops being trusted.
 */
const timingOf = (of: ValueOf): PoolTiming => {
  const timing = {
    ttlMs: of('timing.ttl'),
    heartbeatMs: of('timing.heartbeat'),
    marginMs: of('timing.margin'),
    callMs: of('timing.call'),
    rankStepMs: of('timing.rank_step'),
  };
  const { ttlMs, heartbeatMs, marginMs, callMs } = timing;
  const needed = heartbeatMs + 2 * callMs + marginMs;
  if (needed < ttlMs) return timing;
  throw refused(
    `timing: heartbeat + 2 × call + margin must be less than ttl, or a lease ends between two heartbeats; ${heartbeatMs} + 2 × ${callMs} + ${marginMs} = ${needed} ms is not less than ${ttlMs} ms`,
  );
};

const refused = (message: string): WatcherError => new WatcherError('WCH_SETTINGS', message);
