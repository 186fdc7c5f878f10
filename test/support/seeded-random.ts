/** Randomness that a seed repeats: a failing test prints its seed, and the seed replays it. */

import type { Random } from '../../src/shared/runtime/random.ts';

/** A counter through a 32-bit finaliser: far from cryptography, even enough for tests. */
export const seededRandom = (seed: number): Random => {
  let counter = Math.imul(seed + 1, 0x9e3779b1);
  const word = (): number => {
    counter = (counter + 0x6d2b79f5) | 0;
    let mixed = Math.imul(counter ^ (counter >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  };
  const hex = (digits: number): string => word().toString(16).padStart(8, '0').slice(0, digits);
  return {
    next: () => word() / 2 ** 32,
    uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(8)}${hex(4)}`,
  };
};
