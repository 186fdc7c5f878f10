/**
 * How a request's connections are opened, apart from where to: one object for all requests with the
 * same TLS settings and address family. Kept connections are shared within a channel only.
 */

import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { TlsSettings } from '../../shared/domain/check.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Problem } from './problem.ts';
import type { IpFamily } from './resolver.ts';

/** How long certificate files are trusted to be unchanged. */
const REREAD_MS = 60_000;

export class Channel {
  readonly family: IpFamily;
  /** Any certificate will do. */
  readonly insecure: boolean;
  readonly #tls: TlsSettings;
  readonly #clock: Clock;
  #context: SecureContext | null = null;
  #madeAt = 0;

  constructor(family: IpFamily, tls: TlsSettings, clock: Clock) {
    this.family = family;
    this.insecure = tls.insecure ?? false;
    this.#tls = tls;
    this.#clock = clock;
  }

  /** One context for all connections: making one costs more than the handshake. */
  secureContext(): SecureContext | Problem {
    const now = this.#clock.monotonicMs();
    const readsFiles = this.#tls.ca !== undefined || this.#tls.cert !== undefined;
    const isFresh = !readsFiles || now - this.#madeAt < REREAD_MS;
    if (this.#context !== null && isFresh) return this.#context;
    try {
      this.#context = createSecureContext({ ...filesOf(this.#tls) });
      this.#madeAt = now;
      return this.#context;
    } catch (error) {
      return { code: 'checker_settings', detail: `tls: ${reasonOf(error)}` };
    }
  }
}

/** An error of the file system names the file; one of OpenSSL must not quote what it read. */
const reasonOf = (error: unknown): string => {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  const path = error instanceof Error && 'path' in error ? `${error.path}: ` : '';
  return `${path}${code}`;
};

const filesOf = ({ ca, cert, key }: TlsSettings): { ca?: Buffer; cert?: Buffer; key?: Buffer } => ({
  ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
  ...(cert === undefined ? {} : { cert: readFileSync(cert) }),
  ...(key === undefined ? {} : { key: readFileSync(key) }),
});

/** The channels in use, one for each distinct pair of TLS settings and address family. */
export class Channels {
  readonly #clock: Clock;
  readonly #known = new Map<string, Channel>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of(family: IpFamily, tls: TlsSettings = {}): Channel {
    const key = JSON.stringify([family, tls.ca, tls.cert, tls.key, tls.insecure ?? false]);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const channel = new Channel(family, tls, this.#clock);
    this.#known.set(key, channel);
    return channel;
  }
}
