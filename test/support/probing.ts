/** The real probe for tests: real sockets, no DNS, no secrets unless given. */

import type { HttpRequest } from '../../src/shared/domain/check.ts';
import type { Observation } from '../../src/shared/domain/result.ts';
import { systemClock } from '../../src/shared/runtime/clock.ts';
import { createSecrets } from '../../src/shared/secrets/resolve.ts';
import {
  createHttpProbe,
  type HttpProbe,
  type HttpProbeOptions,
} from '../../src/worker/probes/http.ts';
import type { Resolver } from '../../src/worker/probes/resolver.ts';

/** Answers from a table of names, at once. */
export const tableResolver = (table: Readonly<Record<string, readonly string[]>>): Resolver => ({
  resolve: (host, _, done) => {
    const addresses = table[host];
    if (addresses !== undefined) return done({ addresses, problem: null }, true);
    const problem = { code: 'dns_not_found', detail: `${host} is not in the table` } as const;
    return done({ addresses: [], problem }, true);
  },
  close: () => {},
});

export const aProbe = (options: Partial<HttpProbeOptions> = {}): HttpProbe =>
  createHttpProbe({
    clock: systemClock,
    resolver: tableResolver({ localhost: ['127.0.0.1'] }),
    secrets: createSecrets({ clock: systemClock, env: {} }),
    ...options,
  });

export const aRequest = (request: Partial<HttpRequest> = {}): HttpRequest => ({
  scheme: 'http',
  method: 'GET',
  headers: [],
  timeoutMs: 5_000,
  followRedirects: 0,
  ipFamily: 'any',
  connection: 'fresh',
  ...request,
});

/** One run against `key`, `host[:port]/path`. */
export const observe = (
  probe: HttpProbe,
  key: string,
  request: Partial<HttpRequest> = {},
): Promise<Observation> =>
  new Promise((resolve) => {
    probe.start(key, probe.prepare(aRequest(request)), resolve);
  });

/** What a test compares: the code of a failure, or the status and body of an answer. */
export const gist = (observation: Observation): string =>
  observation.kind === 'failure'
    ? observation.code
    : `${observation.statusCode} ${observation.oversize ? 'oversize' : observation.body.toString()}`.trim();
