/** The grammar of watcher.yml: every setting with its default; environment and flags have the same names. */

import { z } from 'zod';
import { LOG_LEVELS } from '../runtime/log.ts';
import { choice, integer, oneOrMany, text } from './fields.ts';

/** `per_host` is half of `concurrency` where it is not given. */
export const SETTINGS_DEFAULTS = {
  config: 'configs',
  listen: '127.0.0.1:9464',
  address: 'http://127.0.0.1:9464',
  concurrency: 256,
  dns: 'own',
  on_coordination_loss: 'continue',
  log_level: 'info',
} as const;

export const settingsSchema = z
  .strictObject({
    config: text({
      about: 'Folder of the check files.',
      default: SETTINGS_DEFAULTS.config,
    }).optional(),
    listen: text({
      about: 'HOST:PORT of the listener; the next free port when it is taken.',
      default: SETTINGS_DEFAULTS.listen,
    }).optional(),
    address: text({
      about: 'Where commands find a running watcher.',
      default: SETTINGS_DEFAULTS.address,
    }).optional(),
    concurrency: integer({
      about: 'Runs at a time.',
      default: SETTINGS_DEFAULTS.concurrency,
      min: 1,
      max: 65_536,
    }).optional(),
    per_host: integer({
      about: 'Runs at a time against one host; without it half of concurrency.',
      min: 1,
      max: 65_536,
    }).optional(),
    dns: text({
      about: 'own, system, or ADDRESS[:PORT] of the servers to ask.',
      default: SETTINGS_DEFAULTS.dns,
    }).optional(),
    connect_to: oneOrMany(
      text({ about: 'HOST:PORT:ADDRESS:PORT, as in curl.' }),
      'Other addresses to connect to.',
    ).optional(),
    on_coordination_loss: choice(['continue', 'stop'], {
      about: 'Whether checks go on while nobody can tell who owns them.',
      default: SETTINGS_DEFAULTS.on_coordination_loss,
    }).optional(),
    log_level: choice(LOG_LEVELS, {
      about: 'What is logged.',
      default: SETTINGS_DEFAULTS.log_level,
    }).optional(),
  })
  .meta({ id: 'settings', description: 'Settings of a watcher process.' });

export type SettingsInput = z.output<typeof settingsSchema>;
export type SettingName = keyof SettingsInput;
export const SETTING_NAMES = Object.keys(settingsSchema.shape) as readonly SettingName[];

/** `WATCHER_LOG_LEVEL` for `log_level`. */
export const variableOf = (name: string): string => `WATCHER_${name.toUpperCase()}`;
