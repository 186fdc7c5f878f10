/** The shape of one part of the benchmark. */

import type { Figure } from './figure.ts';

export interface PartOptions {
  readonly rounds: number;
  /** Short spans and small folders: shows that everything runs, measures nothing. */
  readonly quick: boolean;
}

/** Figures as they become known; a part whose programs cannot be had yields none. */
export type Part = (options: PartOptions) => AsyncIterable<Figure>;
