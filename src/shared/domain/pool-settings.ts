/** What a process must know to be part of a pool. */

export interface EtcdSettings {
  /** `http://HOST:PORT` or `https://HOST:PORT`, one a member; at least one. */
  readonly endpoints: readonly string[];
  /** Paths of PEM files; null: the system's authorities, and no client certificate. */
  readonly tls: {
    readonly caFile?: string;
    readonly certFile?: string;
    readonly keyFile?: string;
  } | null;
  /** The password with its references as they were written. */
  readonly auth: { readonly username: string; readonly password: string } | null;
}

/** The same in every process of a pool. */
export interface PoolTiming {
  readonly ttlMs: number;
  readonly heartbeatMs: number;
  readonly marginMs: number;
  readonly callMs: number;
  readonly rankStepMs: number;
}

/** What a worker does with its checks while it cannot prove that they are its own. */
export type OnCoordinationLoss = 'run' | 'stop';

export interface PoolSettings {
  /** Null: no pool is named. */
  readonly etcd: EtcdSettings | null;
  readonly prefix: string;
  readonly zone: string | null;
  readonly onCoordinationLoss: OnCoordinationLoss;
  /** Path of the key file; null: secrets that stand in check files are refused. */
  readonly poolKey: string | null;
  readonly timing: PoolTiming;
}
