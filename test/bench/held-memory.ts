/** Part d: what a held check costs in memory, its definition included. */

import { COMMAND_FLAGS } from '../support/watcher-process.ts';
import type { Figure } from './figure.ts';
import { inChild } from './measured-window.ts';
import type { PartOptions } from './part.ts';
import { inRounds } from './rounds.ts';

export interface Held {
  readonly checks: number;
  readonly rssBytes: number;
  readonly heapBytes: number;
}

export async function* heldMemory({ rounds, quick }: PartOptions): AsyncIterable<Figure> {
  const jobsets = quick ? 1_000 : 10_000;
  const flags = ['--expose-gc', ...COMMAND_FLAGS];
  const results = await inRounds(rounds, {
    held: () => inChild<Held>('million-checks.ts', { jobsets }, flags),
  });
  const perCheck = (bytes: 'rssBytes' | 'heapBytes') =>
    results.map(({ held }) => held[bytes] / held.checks);
  const name = `${jobsets * 100} checks held`;
  const figure = { part: 'd', unit: 'B' } as const;
  yield {
    ...figure,
    what: `${name}: RSS of the process a check`,
    samples: perCheck('rssBytes'),
    bound: { atMost: 640 },
  };
  yield { ...figure, what: `${name}: heap a check`, samples: perCheck('heapBytes') };
}
