import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blend32, fraction, mix32 } from '../../../src/shared/rules/hash.ts';

const FROZEN: readonly [text: string, seed: number, hash: number][] = [
  ['', 0, 0],
  ['', 1, 1753845952],
  ['a', 0, 1522303725],
  ['a', 1, 3136834754],
  ['b', 0, 2893802681],
  ['ab', 0, 3623351199],
  ['ba', 0, 2335551040],
  ['6ba7b810-9dad-51d1-80b4-00c04fd430c8', 0, 3217768100],
  ['6ba7b810-9dad-51d1-80b4-00c04fd430c8', 7, 753571883],
  ['www.example.com/health', 0, 3640865597],
  ['grüße ☃ 😀', 0, 422684777],
];

const uuid = (n: number) => `6ba7b810-9dad-51d1-80b4-${n.toString(16).padStart(12, '0')}`;

describe('mix32', () => {
  it.each(FROZEN)('hashes %j with seed %i to %i for ever', (text, seed, hash) => {
    expect(mix32(text, seed)).toBe(hash);
  });

  it('spreads ids that differ in a counter over the range evenly', () => {
    const buckets = new Uint32Array(64);
    for (let n = 0; n < 64_000; n++) buckets[mix32(uuid(n)) >>> 26]! += 1;
    const chiSquare = buckets.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    // 63 degrees of freedom: 110 is passed by chance once in 5,000 hashes.
    expect(chiSquare).toBeLessThan(110);
  });

  it('flips about half of its bits when one character changes', () => {
    let flipped = 0;
    const pairs = 20_000;
    for (let n = 0; n < pairs; n++) {
      let difference = mix32(uuid(n)) ^ mix32(uuid(n ^ (1 << (n % 16))));
      for (; difference !== 0; difference &= difference - 1) flipped++;
    }
    expect(flipped / pairs).toBeGreaterThan(15.8);
    expect(flipped / pairs).toBeLessThan(16.2);
  });

  it('has no more collisions among 100,000 ids than chance brings', () => {
    const seen = new Set(Array.from({ length: 100_000 }, (_, n) => mix32(uuid(n))));
    expect(seen.size).toBeGreaterThan(100_000 - 8);
  });

  it('is a whole number below 2^32 for any text, and a fraction of one below 1', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer(), (text, seed) => {
        const hash = mix32(text, seed);
        expect(Number.isInteger(hash) && hash >= 0 && hash < 2 ** 32).toBe(true);
        expect(fraction(text, seed)).toBe(hash / 2 ** 32);
      }),
    );
  });
});

describe('blend32', () => {
  it.each([
    [0, 0, 0],
    [1, 2, 1408362973],
    [1522303725, 2893802681, 1114980826],
    [0xffffffff, 0, 1734902346],
  ])('blends %i and %i to %i for ever', (a, b, hash) => {
    expect(blend32(a, b)).toBe(hash);
  });

  it('orders the same hashes in another way for each hash that they are blended with', () => {
    const workers = Array.from({ length: 10 }, (_, n) => mix32(uuid(n)));
    const firsts = new Uint32Array(10);
    for (let n = 0; n < 10_000; n++) {
      const blended = workers.map((worker) => blend32(worker, mix32(`js-${n}`)));
      firsts[blended.indexOf(Math.min(...blended))]! += 1;
    }
    const chiSquare = firsts.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    // 9 degrees of freedom: 33 is passed by chance once in 7,000 hashes.
    expect(chiSquare).toBeLessThan(33);
  });
});
