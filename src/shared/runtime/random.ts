/** Randomness as a port, so that a whole fleet can be replayed from a seed. */

import { randomUUID } from 'node:crypto';

export interface Random {
  /** In [0, 1). */
  next(): number;
  uuid(): string;
}

export const systemRandom: Random = { next: () => Math.random(), uuid: () => randomUUID() };
