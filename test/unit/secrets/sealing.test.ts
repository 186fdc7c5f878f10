// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are what is tested

import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { secretReferences } from '../../../src/shared/secrets/reference.ts';
import { createSecrets } from '../../../src/shared/secrets/resolve.ts';
import { type PoolKey, readPoolKey, sealerOf } from '../../../src/shared/secrets/sealing.ts';
import { aSpec } from '../../support/builders.ts';
import { ManualClock } from '../../support/manual-clock.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'pool-key-'));
});
afterAll(() => rm(dir, { recursive: true }));

const keyFile = (text: string): string => {
  const file = path.join(dir, randomBytes(4).toString('hex'));
  writeFileSync(file, text);
  return file;
};
const [ONE, TWO] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
const keyOf = (...keys: readonly Buffer[]): PoolKey =>
  readPoolKey(keyFile(keys.map((key) => `${key.toString('base64')}\n`).join('')));
/** `KEY:BOX` of a sealed text. */
const nameIn = (sealed: string): string => secretReferences(sealed)[0]?.name ?? '';
const errorOf = (act: () => unknown): unknown => {
  try {
    return act();
  } catch (error) {
    return error;
  }
};

const SECRET = 'hunter2-hunter2-Ünïcode "$&"';

describe('a sealed secret', () => {
  it('is a reference that tells nothing, and opens to the same text', () => {
    const sealed = keyOf(ONE).seal(SECRET);
    expect(sealed).toMatch(/^\$\{sealed:[0-9a-f]{8}:[\w-]+\}$/);
    expect(keyOf(ONE).open(nameIn(sealed))).toBe(SECRET);
  });

  it.each(['', 'x', 'a'.repeat(10_000)])('may be of any length', (text) => {
    expect(keyOf(ONE).open(nameIn(keyOf(ONE).seal(text)))).toBe(text);
  });

  it('is the same each time, another for another text, and another under another key', () => {
    const sealed = keyOf(ONE).seal(SECRET);
    expect(keyOf(ONE).seal(SECRET)).toBe(sealed);
    expect(keyOf(ONE).seal(`${SECRET}.`)).not.toBe(sealed);
    expect(keyOf(TWO).seal(SECRET)).not.toBe(sealed);
  });

  it('never has the nonce of another text', () => {
    const key = keyOf(ONE);
    const nonces = Array.from({ length: 1000 }, (_, n) => {
      const [, box = ''] = nameIn(key.seal(`text ${n}`)).split(':');
      return Buffer.from(box, 'base64url').subarray(0, 12).toString('hex');
    });
    expect(new Set(nonces).size).toBe(1000);
  });

  it('opens under an older key of the file, while new ones are sealed under the first', () => {
    const old = keyOf(ONE).seal(SECRET);
    const rotated = keyOf(TWO, ONE);
    expect(rotated.open(nameIn(old))).toBe(SECRET);
    expect(rotated.seal(SECRET)).toBe(keyOf(TWO).seal(SECRET));
  });

  it('says under which key it is sealed when that one is not there', () => {
    const sealed = keyOf(ONE).seal(SECRET);
    const [id = ''] = nameIn(sealed).split(':');
    const [other = ''] = nameIn(keyOf(TWO).seal('')).split(':');
    expect(errorOf(() => keyOf(TWO).open(nameIn(sealed)))).toMatchObject({
      code: 'WCH_SECRET',
      message: `a secret sealed under key ${id}: pool_key has other keys (${other})`,
    });
  });

  it.each([
    [
      'a changed digit',
      (box: string) => `${box.slice(0, 20)}${box[20] === 'A' ? 'B' : 'A'}${box.slice(21)}`,
    ],
    ['another end', (box: string) => `${box.slice(0, -4)}AAAA`],
    ['a missing part', (box: string) => box.slice(0, 30)],
    ['nearly nothing', () => 'AAAA'],
  ])('does not open with %s', (_, change) => {
    const [id, box = ''] = nameIn(keyOf(ONE).seal(SECRET)).split(':');
    expect(errorOf(() => keyOf(ONE).open(`${id}:${change(box)}`))).toMatchObject({
      code: 'WCH_SECRET',
      message: `a secret sealed under key ${id}: it is damaged`,
    });
  });

  it('is opened where it is used, and told to who hides values', () => {
    const values: string[] = [];
    const clock = new ManualClock();
    const poolKey = keyOf(ONE);
    const onValue = (value: string) => values.push(value);
    const secrets = createSecrets({ clock, env: {}, poolKey, onValue });
    const sealed = poolKey.seal('${env:HOME}');
    expect(secrets.resolve(`<${sealed}>`)).toBe('<${env:HOME}>');
    expect(values).toEqual(['${env:HOME}']);
  });

  it('cannot be used by a process without a key, which says so', () => {
    const secrets = createSecrets({ clock: new ManualClock(), env: {} });
    expect(errorOf(() => secrets.resolve(keyOf(ONE).seal(SECRET)))).toMatchObject({
      code: 'WCH_SECRET',
      message: expect.stringMatching(/^a secret sealed under key [0-9a-f]{8}: pool_key is not set/),
    });
  });
});

describe('the key file', () => {
  const bytes = Buffer.from(Array.from({ length: 32 }, (_, n) => 251 - n));

  it.each([
    ['base64', bytes.toString('base64')],
    ['base64 without padding', bytes.toString('base64').replace('=', '')],
    ['base64 for URLs', bytes.toString('base64url')],
    ['hex', bytes.toString('hex')],
    ['hex in capitals', bytes.toString('hex').toUpperCase()],
    ['base64 with lines around', `\n${bytes.toString('base64')}\r\n\n`],
  ])('holds a key as %s', (_, text) => {
    expect(readPoolKey(keyFile(text)).seal(SECRET)).toBe(keyOf(bytes).seal(SECRET));
  });

  it.each([
    ['is empty', '\n', 'the file is empty'],
    ['is too short', bytes.subarray(1).toString('base64'), 'line 1 is not 32 bytes'],
    ['is too long', `${bytes.toString('hex')}00`, 'line 1 is not 32 bytes'],
    ['is a passphrase', 'correct horse battery staple', 'line 1 is not 32 bytes'],
    ['has a bad older key', `${bytes.toString('hex')}\nold-secret`, 'line 2 is not 32 bytes'],
  ])('is refused by the name of its setting when it %s', (_, text, why) => {
    const file = keyFile(text);
    const error = errorOf(() => readPoolKey(file));
    expect(error).toMatchObject({ code: 'WCH_SETTINGS' });
    expect(String(error)).toContain(`pool_key ${file}: ${why}`);
    for (const line of text.split('\n').filter((line) => line !== ''))
      expect(String(error)).not.toContain(line);
  });

  it.each([
    ['/nowhere/at/all', 'ENOENT'],
    ['/dev/zero', 'not a regular file'],
    ['/', 'not a regular file'],
  ])('is refused by the name of its setting when it is %s', (file, why) => {
    expect(errorOf(() => readPoolKey(file))).toMatchObject({
      code: 'WCH_SETTINGS',
      message: `pool_key ${file}: ${why}`,
    });
  });
});

describe('a spec', () => {
  const withBearer = (token: string) => aSpec({ request: { auth: { kind: 'bearer', token } } });

  it('without a secret in it is the same object', () => {
    for (const spec of [aSpec(), withBearer('${env:TOKEN}')])
      expect(sealerOf(keyOf(ONE)).seal(spec)).toBe(spec);
  });

  it('that is sealed once is not sealed anew', () => {
    const sealer = sealerOf(keyOf(ONE));
    const spec = withBearer(SECRET);
    expect(sealer.seal(spec)).toBe(sealer.seal(spec));
    expect(sealer.seal(sealer.seal(spec))).toBe(sealer.seal(spec));
  });

  it('with a secret in it is refused where there is no key', () => {
    expect(sealerOf(null).seal(withBearer('${env:TOKEN}'))).toMatchObject({ kind: 'http' });
    const error = errorOf(() => sealerOf(null).seal(withBearer(SECRET)));
    expect(error).toMatchObject({ code: 'WCH_SECRET' });
    expect(String(error)).not.toContain(SECRET);
  });
});

describe('a fingerprint', () => {
  it('tells digests apart, and nothing of them to who has no key', () => {
    const sealer = sealerOf(keyOf(ONE));
    expect(sealer.fingerprint('a')).toBe(sealerOf(keyOf(ONE)).fingerprint('a'));
    expect(sealer.fingerprint('a')).not.toBe(sealer.fingerprint('b'));
    expect(sealer.fingerprint('a')).not.toBe(sealerOf(keyOf(TWO)).fingerprint('a'));
  });

  it('is the digest itself where there is no key, and so no secret', () => {
    expect(sealerOf(null).fingerprint('a')).toBe('a');
  });
});
