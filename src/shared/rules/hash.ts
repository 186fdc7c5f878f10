/**
 * watcher's own hash of strings: splay inside the minute, placement by rendezvous. Not for secrets.
 *
 * For each UTF-16 unit: h = (rotate-left(h, 5) xor unit) * 0x9e3779b1, modulo 2^32, from h = seed.
 * Then the length is mixed in, and two rounds of xor-shift and multiply let each bit of the input
 * reach each bit of the result. The test vectors are frozen: a change here moves every tick.
 */

const GOLDEN = 0x9e3779b1;

/** A whole number in [0, 2^32). */
export const mix32 = (text: string, seed = 0): number => {
  let h = seed | 0;
  for (let i = 0; i < text.length; i++) {
    h = Math.imul(((h << 5) | (h >>> 27)) ^ text.charCodeAt(i), GOLDEN);
  }
  return finished(h ^ text.length);
};

/** Of two hashes that are known: the same rounds, without looking at the texts again. */
export const blend32 = (a: number, b: number): number => finished(a ^ b);

const finished = (hash: number): number => {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0;
};

/** A stable fraction in [0, 1). */
export const fraction = (text: string, seed = 0): number => mix32(text, seed) / 0x1_0000_0000;
