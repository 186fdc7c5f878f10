import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseConnectTo } from '../../../src/shared/rules/connect-to.ts';
import { targetOf, targetOfKey } from '../../../src/worker/probes/target.ts';

const asIs = () => null;

const KEYS = [
  'example.com/health',
  'example.com:80/',
  'example.com:443/x?y=1',
  'example.com:8080/a/b.c?d=e&f=%20g',
  '127.0.0.1:9464/healthz',
  '127.1/',
  '0x7f.1/',
  '2130706433/',
  '010.0.0.1/',
  'a.b.c.255/',
  'example.com:0/',
  'example.com:080/',
  'example.com:65536/',
  'EXAMPLE.com/',
  'xn--bcher-kva.example/',
  'bücher.example/',
  'example.com/a/../b',
  'example.com/a/%2e%2E/b',
  'example.com/..',
  'example.com/a/./?q',
  "example.com/it's?it's",
  'example.com/a b',
  'example.com/#fragment',
  'example.com/a\\b',
  'example.com',
  'example.com./',
  'user@example.com/',
  'user:80@example.com/',
  '[::1]:80/x',
  'example.com/?q=a/../b',
  'a..b/',
  '-a.example/',
  'a_b.example/x',
  '/only/path',
  'example.com:80:90/',
];

describe('the target of a key', () => {
  it.each(KEYS)('is what the URL parser makes of %s', (key) => {
    for (const scheme of ['http', 'https']) {
      expect(targetOfKey(scheme, key, asIs)).toEqual(targetOf(`${scheme}://${key}`, asIs));
    }
  });

  it('is what the URL parser makes of any key', () => {
    const piece = fc.constantFrom(
      ...['a', 'Z', '0', '1', '255', '.', '..', '-', '_', ':', '80', '443', '/', '//', '?', '#'],
      ...['%2e', '%', '&', '=', "'", '"', '<', ' ', '\\', '@', '[', ']', '~', '|', 'xn--', '0x'],
    );
    const key = fc.array(piece, { minLength: 1, maxLength: 12 }).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(key, fc.constantFrom('http', 'https'), (text, scheme) => {
        expect(targetOfKey(scheme, text, asIs)).toEqual(targetOf(`${scheme}://${text}`, asIs));
      }),
      { numRuns: 20_000 },
    );
  });

  it('is connected to where a rule says, and asked as if nothing had changed', () => {
    const rules = parseConnectTo(['example.com:80:127.0.0.1:8080', 'v6.example:80:[::1]:81']);
    expect(targetOfKey('http', 'example.com/x', rules)).toMatchObject({
      hostHeader: 'example.com',
      dialHost: '127.0.0.1',
      dialPort: 8080,
      literal: 4,
    });
    expect(targetOfKey('http', 'v6.example/x', rules)).toMatchObject({
      dialHost: '::1',
      literal: 6,
    });
  });
});
