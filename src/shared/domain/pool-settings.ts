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

/**
 * What becomes of checks that a pool cannot run on time: `rebalance` runs them all, late where it must
 * be; `shed` runs as many as fit, and lets the others wait.
 */
export type ScalingMode = 'rebalance' | 'shed';

/** How a pool that is too small says so. */
export interface ScalingSettings {
  readonly mode: ScalingMode;
  /** What the pool is called in metrics and events. */
  readonly pool: string;
  /** How long jobs wait before it is said. */
  readonly waitingGraceMs: number;
  /** For a shell; null: none. */
  readonly command: string | null;
  /** With its references as they were written. */
  readonly webhook: string | null;
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
  readonly scaling: ScalingSettings;
}
