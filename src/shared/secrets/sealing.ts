/**
 * Secrets that stand in check files reach the ledger sealed under the pool's key: check file →
 * **sealed by the admin** → ledger → opened by the worker's resolver, at use. Equal secrets are
 * sealed to equal texts, so that an unchanged file is an unchanged definition.
 */

import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from 'node:crypto';
import type { CheckSpec } from '../domain/check.ts';
import { WatcherError } from '../domain/errors.ts';
import { withSecrets } from './positions.ts';
import { formOf, hasReference } from './reference.ts';
import { readSecretFile } from './secret-file.ts';

/** What every admin and every worker of a pool has. */
export interface PoolKey {
  /** A reference to the text. */
  seal(text: string): string;
  /** Equal for equal texts, and tells nobody without the key anything of them. */
  fingerprint(text: string): string;
  /** What `KEY:BOX` of a reference stands for; throws WCH_SECRET when it cannot be told. */
  open(name: string): string;
}

/** What a pool's admin does with secrets before it writes. */
export interface Sealer {
  /** Seals what stands in a spec as it is; one without such is the same object. */
  seal(spec: CheckSpec): CheckSpec;
  /** Of a digest of unsealed definitions: nobody may try passwords against it. */
  fingerprint(digest: string): string;
}

/** Opening costs as much as a tenth of a run. */
const OPENED_AT_MOST = 10_000;
const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const ID_BYTES = 4;

/**
 * The file has a key of 32 bytes on its first line, in base64 or hex. Lines below it are older keys,
 * which only open. Throws WCH_SETTINGS, without a word of what is in the file.
 */
export const readPoolKey = (path: string): PoolKey => {
  const [current, ...older] = linesOf(path).map((line, index) => {
    const bytes = bytesOf(line.trim());
    if (bytes !== null) return new Key(bytes);
    const why = `line ${index + 1} is not ${KEY_BYTES} bytes in base64 or hex`;
    throw refused(path, `${why}: "openssl rand -base64 ${KEY_BYTES}" prints a key`);
  });
  if (current === undefined) throw refused(path, 'the file is empty');
  const keys = new Map([...older, current].map((key) => [key.id, key]));
  const opened = new Map<string, string>();
  const open = (name: string): string => {
    const [id = '', box = ''] = name.split(':');
    const key = keys.get(id);
    const held = [...keys.keys()].join(', ');
    if (!key) throw unopened(name, `pool_key has other keys (${held})`);
    const text = key.open(box);
    if (text === null) throw unopened(name, 'it is damaged');
    if (opened.size >= OPENED_AT_MOST) opened.clear();
    opened.set(name, text);
    return text;
  };
  return {
    seal: (text) => formOf({ kind: 'sealed', name: `${current.id}:${current.seal(text)}` }),
    open: (name) => opened.get(name) ?? open(name),
    fingerprint: (text) => current.fingerprint(text),
  };
};

/** Without a key, a spec with a secret in it is refused with WCH_SECRET. */
export const sealerOf = (poolKey: PoolKey | null): Sealer => {
  const known = new WeakMap<CheckSpec, CheckSpec>();
  const seal = (spec: CheckSpec): CheckSpec => {
    let found = false;
    const sealed = withSecrets(spec, (text) => {
      if (hasReference(text)) return text;
      found = true;
      return (poolKey ?? NO_KEY).seal(text);
    });
    return found ? sealed : spec;
  };
  return {
    seal: (spec) => {
      const sealed = known.get(spec) ?? seal(spec);
      known.set(spec, sealed);
      return sealed;
    },
    fingerprint: (digest) => (poolKey ?? NO_KEY).fingerprint(digest),
  };
};

/** Of a process without `pool_key`. */
export const NO_KEY: PoolKey = {
  seal: () => {
    const why = 'a check has a secret in it, and there is no pool_key to seal it with';
    throw new WatcherError('WCH_SECRET', why);
  },
  open: (name) => {
    throw unopened(name, 'pool_key is not set here');
  },
  // What has no secret in it needs no veil.
  fingerprint: (text) => text,
};

const linesOf = (path: string): readonly string[] => {
  try {
    return readSecretFile(path)
      .split('\n')
      .filter((line) => line.trim() !== '');
  } catch (error) {
    throw refused(path, (error as Error).message);
  }
};

const HEX = /^[0-9a-f]{64}$/i;
const BASE64 = /^[A-Za-z0-9+/_-]{43}=?$/;

const bytesOf = (line: string): Buffer | null => {
  if (HEX.test(line)) return Buffer.from(line, 'hex');
  return BASE64.test(line) ? Buffer.from(line, 'base64') : null;
};

const refused = (path: string, why: string): WatcherError =>
  new WatcherError('WCH_SETTINGS', `pool_key ${path}: ${why}`);

const unopened = (name: string, why: string): WatcherError =>
  new WatcherError('WCH_SECRET', `a secret sealed under key ${name.split(':')[0]}: ${why}`, {
    retryable: true,
  });

class Key {
  /** Tells keys apart, and nothing else about them. */
  readonly id: string;
  readonly #cipher: Buffer;
  readonly #nonce: Buffer;
  readonly #fingerprint: Buffer;

  constructor(bytes: Buffer) {
    const derived = (purpose: string, length: number): Buffer =>
      Buffer.from(hkdfSync('sha256', bytes, '', `watcher ${purpose}`, length));
    this.id = derived('key id', ID_BYTES).toString('hex');
    this.#cipher = derived('seal', KEY_BYTES);
    this.#nonce = derived('nonce', KEY_BYTES);
    this.#fingerprint = derived('fingerprint', KEY_BYTES);
  }

  fingerprint(text: string): string {
    return createHmac('sha256', this.#fingerprint).update(text).digest('base64url');
  }

  /** The nonce follows from the text: one that came twice would come with the same text. */
  seal(text: string): string {
    const nonce = createHmac('sha256', this.#nonce).update(text).digest().subarray(0, NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.#cipher, nonce);
    const sealed = [cipher.update(text, 'utf8'), cipher.final()];
    return Buffer.concat([nonce, ...sealed, cipher.getAuthTag()]).toString('base64url');
  }

  /** Null for what this key has not sealed as it stands. */
  open(box: string): string | null {
    const bytes = Buffer.from(box, 'base64url');
    if (bytes.length < NONCE_BYTES + TAG_BYTES) return null;
    const decipher = createDecipheriv(CIPHER, this.#cipher, bytes.subarray(0, NONCE_BYTES));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    try {
      const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
      return Buffer.concat([text, decipher.final()]).toString();
    } catch {
      return null;
    }
  }
}
