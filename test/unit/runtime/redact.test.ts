import { describe, expect, it } from 'vitest';
import { Redactor } from '../../../src/shared/runtime/redact.ts';

const SECRET = 'p@ss "wörd"/+&\n9';

const redactorWith = (...secrets: readonly string[]): Redactor => {
  const redactor = new Redactor();
  for (const secret of secrets) redactor.register(secret);
  return redactor;
};

describe('the redactor', () => {
  it.each([
    ['as it is', SECRET],
    ['URL-encoded', encodeURIComponent(SECRET)],
    ['form-encoded', new URLSearchParams({ a: SECRET }).toString().slice(2)],
    ['JSON-escaped', JSON.stringify(SECRET).slice(1, -1)],
  ])('masks a secret %s', (_, text) => {
    expect(redactorWith(SECRET).apply(`before ${text} after`)).toBe('before [redacted] after');
  });

  it.each(['', 'u', 'us', 'use', 'user'])('masks the base64 of "%s:" and a secret', (user) => {
    const header = Buffer.from(`${user}:${SECRET}`).toString('base64');
    const secretDigits = Buffer.from(SECRET).toString('base64').slice(4, 12);
    const clean = redactorWith(SECRET).apply(`Basic ${header}`);
    expect(clean).toContain('[redacted]');
    expect(clean).not.toContain(secretDigits);
    const rest = clean.replace('Basic ', '').split('[redacted]');
    expect(rest.join('').length).toBeLessThan(user.length * 2 + 8);
  });

  it('masks a secret that contains another as a whole', () => {
    expect(redactorWith('hunter2', 'hunter2-production').apply('hunter2-production')).toBe(
      '[redacted]',
    );
  });

  it('leaves text alone when a value is too short to be a secret', () => {
    expect(redactorWith('ok', '').apply('all is ok')).toBe('all is ok');
  });
});
