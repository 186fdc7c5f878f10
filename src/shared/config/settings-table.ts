/**
 * The one table of settings. watcher.yml, the environment, the flags, their help and
 * docs/settings.md come from it. It imports nothing, so that `watcher --help` is quick.
 */

export interface Setting {
  readonly about: string;
  /** Form or unit of a value, as the help shows it; commander reads a `[` in it as optional. */
  readonly takes: string;
  /** As it would be written; null where there is none, or where `about` tells it. */
  readonly default: string | number | boolean | null;
  /** Never a flag: every user of a machine can read the command lines of others. */
  readonly secret?: true;
}

/** A dot leads into a map. */
export const SETTINGS = {
  config: { about: 'folder of the check files', takes: 'dir', default: 'configs' },
  listen: {
    about: 'where to answer; the next free port when that one is taken',
    takes: 'host:port',
    default: '127.0.0.1:9464',
  },
  'listen_tls.cert': {
    about: 'certificate chain of the listener, PEM',
    takes: 'file',
    default: null,
  },
  'listen_tls.key': { about: 'private key of the listener, PEM', takes: 'file', default: null },
  listen_token: {
    about: 'what callers of the listener must know; in a file only as a reference',
    takes: '${env:NAME} or ${file:PATH}',
    default: null,
    secret: true,
  },
  concurrency: { about: 'runs at a time', takes: 'runs', default: 256 },
  per_host: {
    about: 'runs at a time against one host; half of concurrency where it is not set',
    takes: 'runs',
    default: null,
  },
  max_jobs: {
    about: 'jobs that a worker takes at most; as many as it can run on time where it is not set',
    takes: 'jobs',
    default: null,
  },
  dns: {
    about: 'own, system, or ADDRESS[:PORT] of the servers to ask, separated by commas',
    takes: 'resolver',
    default: 'own',
  },
  connect_to: {
    about: 'connect elsewhere, as in curl; may be repeated',
    takes: 'host:port:address:port',
    default: null,
  },
  run_at_start: { about: 'whether each check runs once at start', takes: 'boolean', default: true },
  drain: {
    about: 'how long runs in flight may take when watcher stops',
    takes: 'duration',
    default: '12s',
  },
  state: {
    about: 'folder where results are kept until they are delivered; none: nowhere',
    takes: 'dir',
    default: null,
  },
  log_level: {
    about: 'what is logged: debug, info, warn or error',
    takes: 'level',
    default: 'info',
  },
  etcd: {
    about: 'members of the etcd of the pool, separated by commas; plain http on loopback only',
    takes: 'urls',
    default: null,
  },
  'etcd_tls.ca': {
    about: 'certificates of the authority that etcd is trusted by, PEM; the system’s without it',
    takes: 'file',
    default: null,
  },
  'etcd_tls.cert': { about: 'client certificate for etcd, PEM', takes: 'file', default: null },
  'etcd_tls.key': { about: 'private key of that certificate, PEM', takes: 'file', default: null },
  'etcd_auth.username': {
    about: 'user at etcd; prefer a client certificate',
    takes: 'name',
    default: null,
  },
  'etcd_auth.password': {
    about: 'password of that user; in a file only as a reference',
    takes: '${env:NAME} or ${file:PATH}',
    default: null,
    secret: true,
  },
  etcd_prefix: {
    about: 'where the keys of this pool begin; pools with different ones share an etcd',
    takes: 'prefix',
    default: '/watcher/v1/',
  },
  zone: {
    about: 'name of the network that this worker sees',
    takes: 'name',
    default: null,
  },
  on_coordination_loss: {
    about: 'what a worker does without etcd: run on, or stop; the same for a whole pool',
    takes: 'choice',
    default: 'run',
  },
  pool_key: {
    about: 'key that seals secrets of check files on their way through etcd',
    takes: 'file',
    default: null,
  },
  'timing.ttl': {
    about: 'after how long without a sign of life what a process holds is free',
    takes: 'duration',
    default: '6s',
  },
  'timing.heartbeat': {
    about: 'how often it gives a sign of life',
    takes: 'duration',
    default: '2s',
  },
  'timing.margin': {
    about: 'how long before its end a lease is no longer trusted',
    takes: 'duration',
    default: '1500ms',
  },
  'timing.call': {
    about: 'how long one call to etcd may take',
    takes: 'duration',
    default: '1s',
  },
  'timing.rank_step': {
    about: 'how long each worker lets the one before it try first to claim a jobset',
    takes: 'duration',
    default: '150ms',
  },
  'scaling.mode': {
    about:
      'what becomes of checks for which there is no room: rebalance runs them late, shed lets them wait; the same for a whole pool',
    takes: 'choice',
    default: 'rebalance',
  },
  'scaling.pool': {
    about: 'name of the pool in metrics and events of its size',
    takes: 'name',
    default: 'watcher',
  },
  'scaling.waiting_grace': {
    about: 'how long jobs wait for room before that is an alarm',
    takes: 'duration',
    default: '10s',
  },
  'scaling.command': {
    about: 'what the leading admin has a shell run, once, when workers are missing',
    takes: 'command',
    default: null,
  },
  'scaling.webhook': {
    about: 'where it posts to, once, when workers are missing; may be a reference',
    takes: 'url',
    default: null,
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof SETTINGS;
export const SETTING_NAMES = Object.keys(SETTINGS) as readonly SettingName[];

/** Values as they stand in the environment and on the command line. */
export type SettingTexts = {
  readonly [N in SettingName]?: string | readonly string[] | undefined;
};

/** `WATCHER_LISTEN_TLS_CERT` */
export const variableOf = (name: SettingName): string =>
  `WATCHER_${name.replaceAll('.', '_').toUpperCase()}`;

/** `--listen-tls-cert` */
export const flagOf = (name: SettingName): string => `--${name.replaceAll(/[._]/g, '-')}`;
