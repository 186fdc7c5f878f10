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
