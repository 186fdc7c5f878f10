/** Part f: how long the command takes to say what it can do. */

import { outputOf } from '../support/processes.ts';
import { BUILT_COMMAND } from '../support/watcher-process.ts';
import type { Figure } from './figure.ts';
import type { PartOptions } from './part.ts';

/** So quick that many cost nothing, and so short that few say nothing. */
const RUNS_A_ROUND = 5;

export async function* startUp({ rounds }: PartOptions): AsyncIterable<Figure> {
  const samples: number[] = [];
  for (let run = 0; run < rounds * RUNS_A_ROUND; run += 1) {
    const began = performance.now();
    await outputOf([...BUILT_COMMAND, '--help']);
    samples.push(performance.now() - began);
  }
  yield { part: 'f', what: 'watcher --help', unit: 'ms', samples, bound: { atMost: 80 } };
}
