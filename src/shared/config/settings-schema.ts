/** What each setting may be, and the closed grammar of watcher.yml that follows from it. */

import { isIP } from 'node:net';
import { z } from 'zod';
import { LOG_LEVELS } from '../runtime/log.ts';
import { hasReference, REFERENCE_FORMS } from '../secrets/reference.ts';
import { choice, duration, flag, integer, oneOrMany, secret, text, zone } from './fields.ts';
import { SETTING_NAMES, SETTINGS, type SettingName } from './settings-table.ts';

/** More than a process can have sockets. */
const RUNS = { min: 1, max: 65_536 };
const DRAIN_MS = { min: 0, max: 600_000 };
/** etcd grants no shorter one by its default election timeout. */
const TTL_MS = { min: 2000, max: 600_000 };
const SIGN_MS = { min: 50, max: 60_000 };
const RANK_STEP_MS = { min: 0, max: 10_000 };
/** A waiting job should not be news of yesterday. */
const GRACE_MS = { min: 0, max: 3_600_000 };
/** More than a pool should give to one process. */
const JOBS = { min: 1, max: 1_000_000 };

const PREFIX = /^\/([\w.-]+\/)+$/;

const isServer = (server: string): boolean => {
  const [, address = '', port = '53'] = /^\[?([^\]]+?)\]?(?::(\d{1,5}))?$/.exec(server) ?? [];
  return isIP(server) > 0 || (isIP(address) > 0 && Number(port) > 0 && Number(port) <= 65_535);
};

const resolver = z
  .string()
  .refine((dns) => dns === 'own' || dns === 'system' || dns.split(',').every(isServer), {
    error: 'must be own, system, or ADDRESS[:PORT] of servers, separated by commas',
  });

/** Of somebody who is to be told; a reference is resolved when it is used. */
const webAddress = (field: Parameters<typeof text>[0]) =>
  text(field).refine(
    (url) => hasReference(url) || /^https?:$/.test(URL.parse(url)?.protocol ?? ''),
    {
      error: `must be http://… or https://…, or ${REFERENCE_FORMS}`,
    },
  );

export const VALUES = {
  config: text(SETTINGS.config),
  listen: text(SETTINGS.listen),
  'listen_tls.cert': text(SETTINGS['listen_tls.cert']),
  'listen_tls.key': text(SETTINGS['listen_tls.key']),
  listen_token: secret(SETTINGS.listen_token),
  concurrency: integer({ ...SETTINGS.concurrency, ...RUNS }),
  per_host: integer({ ...SETTINGS.per_host, ...RUNS }),
  max_jobs: integer({ ...SETTINGS.max_jobs, ...JOBS }),
  dns: resolver,
  connect_to: oneOrMany(text(SETTINGS.connect_to), SETTINGS.connect_to.about),
  run_at_start: flag(SETTINGS.run_at_start),
  drain: duration({ ...SETTINGS.drain, ...DRAIN_MS }),
  state: text(SETTINGS.state).refine((dir) => dir !== '', { error: 'must be a folder, or none' }),
  log_level: choice(LOG_LEVELS, SETTINGS.log_level),
  etcd: oneOrMany(text(SETTINGS.etcd), SETTINGS.etcd.about),
  'etcd_tls.ca': text(SETTINGS['etcd_tls.ca']),
  'etcd_tls.cert': text(SETTINGS['etcd_tls.cert']),
  'etcd_tls.key': text(SETTINGS['etcd_tls.key']),
  'etcd_auth.username': text(SETTINGS['etcd_auth.username']),
  'etcd_auth.password': secret(SETTINGS['etcd_auth.password']),
  etcd_prefix: text(SETTINGS.etcd_prefix).refine((prefix) => PREFIX.test(prefix), {
    error: 'must begin and end with a slash, such as /watcher/v1/',
  }),
  zone: zone(SETTINGS.zone),
  on_coordination_loss: choice(['run', 'stop'], SETTINGS.on_coordination_loss),
  pool_key: text(SETTINGS.pool_key),
  'timing.ttl': duration({ ...SETTINGS['timing.ttl'], ...TTL_MS }),
  'timing.heartbeat': duration({ ...SETTINGS['timing.heartbeat'], ...SIGN_MS }),
  'timing.margin': duration({ ...SETTINGS['timing.margin'], ...SIGN_MS }),
  'timing.call': duration({ ...SETTINGS['timing.call'], ...SIGN_MS }),
  'timing.rank_step': duration({ ...SETTINGS['timing.rank_step'], ...RANK_STEP_MS }),
  'scaling.mode': choice(['rebalance', 'shed'], SETTINGS['scaling.mode']),
  'scaling.pool': zone(SETTINGS['scaling.pool']),
  'scaling.waiting_grace': duration({ ...SETTINGS['scaling.waiting_grace'], ...GRACE_MS }),
  'scaling.command': text(SETTINGS['scaling.command']),
  'scaling.webhook': webAddress(SETTINGS['scaling.webhook']),
} satisfies Record<SettingName, z.ZodType>;

/** What one source says, by names with dots: sources are laid over each other name by name. */
export type GivenSettings = { readonly [N in SettingName]?: z.output<(typeof VALUES)[N]> };

/** The names of one level: `listen_tls` stands for the map with `cert` and `key` in it. */
const levelOf = (prefix: string): z.ZodObject => {
  const shape: Record<string, z.ZodType> = {};
  for (const name of SETTING_NAMES.filter((one) => one.startsWith(prefix))) {
    const [key = '', inner] = name.slice(prefix.length).split('.');
    shape[key] = (inner === undefined ? VALUES[name] : levelOf(`${key}.`)).optional();
  }
  return z.strictObject(shape);
};

/** The sinks have a grammar of their own (sinks-schema.ts), and are no setting of one value. */
export const settingsFileSchema = levelOf('').extend({ sinks: z.unknown().optional() });

/** The inverse: `{ listen_tls: { cert } }` → `{ 'listen_tls.cert': cert }`. */
export const flatten = (file: Readonly<Record<string, unknown>>): GivenSettings =>
  Object.fromEntries(
    SETTING_NAMES.map((name) => [name, valueAt(file, name)]).filter(
      ([, value]) => value !== undefined,
    ),
  );

const valueAt = (file: unknown, name: string): unknown =>
  name
    .split('.')
    .reduce<unknown>((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], file);
