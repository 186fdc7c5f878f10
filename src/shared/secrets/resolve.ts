/** Turns a text with references into the text itself, at the moment it is used. */

import { WatcherError } from '../domain/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import { formOf, hasReference, type SecretReference, secretReferences } from './reference.ts';
import { NO_KEY, type PoolKey } from './sealing.ts';
import { readSecretFile } from './secret-file.ts';

export interface Secrets {
  /**
   * The text with what each reference stands for in its place. Throws a WCH_SECRET error, which names
   * the reference and never a value, when one cannot be read.
   */
  resolve(text: string): string;
  /** A secret that stands in a file as it is: whoever hears of values hears of it, too. */
  hide(text: string): void;
}

export interface SecretsOptions {
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Hears of each value before it is used. */
  readonly onValue?: (value: string) => void;
  /** Opens what an admin has sealed. */
  readonly poolKey?: PoolKey | undefined;
}

/** A rotated file is in use this soon; a busy probe does not read it for each run. */
const CACHED_MS = 5_000;

interface Cached {
  readonly value: string;
  readonly readAt: number;
}

export const createSecrets = ({
  clock,
  env,
  onValue,
  poolKey = NO_KEY,
}: SecretsOptions): Secrets => {
  const files = new Map<string, Cached>();

  const fileValue = (path: string): string => {
    const now = clock.monotonicMs();
    const cached = files.get(path);
    if (cached !== undefined && now - cached.readAt < CACHED_MS) return cached.value;
    const value = readReferred(path);
    files.set(path, { value, readAt: now });
    return value;
  };

  const secretOf = ({ kind, name }: SecretReference): string => {
    if (kind === 'file') return fileValue(name);
    if (kind === 'sealed') return poolKey.open(name);
    const value = Object.hasOwn(env, name) ? env[name] : undefined;
    if (value === undefined) throw missing(formOf({ kind, name }), 'the variable is not set');
    return value;
  };

  return {
    hide: (text) => {
      if (!hasReference(text)) onValue?.(text);
    },
    resolve: (text) => {
      let resolved = '';
      let rest = text;
      for (const reference of secretReferences(text)) {
        const form = formOf(reference);
        const at = rest.indexOf(form);
        // What comes out of a reference is never searched for references again.
        const value = secretOf(reference);
        onValue?.(value);
        resolved += rest.slice(0, at) + value;
        rest = rest.slice(at + form.length);
      }
      return resolved + rest;
    },
  };
};

const readReferred = (path: string): string => {
  try {
    return readSecretFile(path);
  } catch (error) {
    throw missing(formOf({ kind: 'file', name: path }), (error as Error).message);
  }
};

const missing = (form: string, why: string): WatcherError =>
  new WatcherError('WCH_SECRET', `${form}: ${why}`, { retryable: true });
