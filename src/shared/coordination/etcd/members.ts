/**
 * The members of the etcd cluster, and which of them is asked: endpoints → **members** → calls, watches.
 * Each member has a client of its own, so that we, not the client library, choose whom to ask: all calls
 * go to one member until it fails, then to the next.
 */

import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { noop } from 'cockatiel';
import { Etcd3, type IOptions } from 'etcd3';
import { WatcherError } from '../../domain/errors.ts';

export interface EtcdConnection {
  /** `http://host:port` or `https://host:port`, one a member. */
  readonly endpoints: readonly string[];
  /** Paths of PEM files, for https. Without a CA, the system's count. */
  readonly tls?: {
    readonly caFile?: string;
    readonly certFile?: string;
    readonly keyFile?: string;
  };
  /** Prefer a client certificate: a token ends after five minutes and with the member's restart. */
  readonly auth?: { readonly username: string; readonly password: string };
}

export interface Member {
  readonly endpoint: string;
  readonly client: Etcd3;
}

const GRPC_OPTIONS = {
  // etcd answers pings more often than every 5 s, or without an open stream, by closing the connection.
  'grpc.keepalive_time_ms': 6000,
  'grpc.keepalive_timeout_ms': 2000,
  'grpc.keepalive_permit_without_calls': 0,
  // Its default of 4 MiB is less than a page of definitions.
  'grpc.max_receive_message_length': 64 * 1024 * 1024,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1000,
  // What is sent again, and to whom it is sent, is decided here.
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.enable_http_proxy': 0,
} as const;

/**
 * Of all clients of this process. grpc-js shares connections between clients with equal options, and one
 * that hangs while it connects hangs for ever (grpc/grpc-node#2785): a client that is built anew must
 * differ from its predecessor.
 */
let generation = 0;

export class Members {
  readonly #connection: EtcdConnection;
  readonly #purpose: string;
  readonly #callMs: number;
  readonly #now: () => number;
  readonly #built: (Member | null)[];
  #credentials: IOptions['credentials'];
  #at: number;
  #closed = false;

  /** `purpose` keeps the connections of calls and of watches apart; `first` is whom to ask first. */
  constructor(
    connection: EtcdConnection,
    options: { purpose: string; first: number; callMs: number; now: () => number },
  ) {
    this.#connection = connection;
    this.#purpose = options.purpose;
    this.#callMs = options.callMs;
    this.#now = options.now;
    this.#built = connection.endpoints.map(() => null);
    this.#at = options.first;
    this.#credentials = credentialsOf(connection);
  }

  get size(): number {
    return this.#built.length;
  }

  get current(): Member {
    if (this.#closed) throw new WatcherError('WCH_STORE_UNAVAILABLE', 'the etcd store is closed');
    const built = this.#built[this.#at] ?? this.#build(this.#connection.endpoints[this.#at] ?? '');
    this.#built[this.#at] = built;
    return built;
  }

  /**
   * Turns to the next member. The race: many calls to one member fail at once, and only the first of
   * them may turn, or they would turn past the one that works.
   */
  failed(member: Member, isStuck: boolean): void {
    const at = this.#built.indexOf(member);
    if (at < 0) return;
    if (at === this.#at) this.#at = (at + 1) % this.size;
    if (!isStuck) return;
    this.#built[at] = null;
    member.client.close();
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    for (const member of this.#built) member?.client.close();
  }

  #build(endpoint: string): Member {
    generation += 1;
    const { auth } = this.#connection;
    const client = new Etcd3({
      hosts: endpoint.replace(/\/+$/, ''),
      ...(endpoint.startsWith('https:') ? this.#freshCredentials() : {}),
      ...(auth === undefined ? {} : { auth: { ...auth } }),
      // The library has no deadline of its own, not even for asking for a token.
      defaultCallOptions: ({ isStream }) =>
        isStream ? {} : { deadline: this.#now() + this.#callMs },
      // Its default sends a transaction again whose answer was lost, and then says that it failed.
      faultHandling: { host: () => noop, global: noop },
      grpcOptions: {
        ...GRPC_OPTIONS,
        'grpc.primary_user_agent': `watcher-${this.#purpose}/${generation}`,
      },
    });
    return { endpoint, client };
  }

  /** Certificates are renewed on disk under a running process; half an exchange is left alone. */
  #freshCredentials(): Pick<IOptions, 'credentials'> {
    try {
      this.#credentials = credentialsOf(this.#connection);
    } catch {
      // Those that were read before serve on.
    }
    return this.#credentials === undefined ? {} : { credentials: this.#credentials };
  }
}

/** Throws WCH_SETTINGS for a file that cannot be read or used. */
const credentialsOf = ({ tls }: EtcdConnection): IOptions['credentials'] => {
  if (tls === undefined) return undefined;
  const files = [tls.caFile, tls.certFile, tls.keyFile];
  const [ca, cert, key] = files.map(contentOf);
  try {
    // Throws for what is no certificate, and for a key that belongs to another one.
    createSecureContext({ ca, cert, key });
  } catch (cause) {
    const names = files.filter((file) => file !== undefined).join(', ');
    throw new WatcherError('WCH_SETTINGS', `${names}, for etcd, cannot be used`, { cause });
  }
  return {
    // The library's types ask for one; grpc takes null for the system's.
    rootCertificate: ca ?? (null as unknown as Buffer),
    ...(cert === undefined ? {} : { certChain: cert }),
    ...(key === undefined ? {} : { privateKey: key }),
  };
};

const contentOf = (file: string | undefined): Buffer | undefined => {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new WatcherError('WCH_SETTINGS', `${file}, for etcd, cannot be read`, { cause });
  }
};
