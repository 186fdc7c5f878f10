/** Part a: what a check costs in CPU, schedule to JSON line, over a bare undici dispatch loop. */

import { startNginx } from '../support/nginx.ts';
import { COMMAND_FLAGS } from '../support/watcher-process.ts';
import type { Figure } from './figure.ts';
import { inChild, type Window } from './measured-window.ts';
import type { PartOptions } from './part.ts';
import { inRounds } from './rounds.ts';
import { type Pace, paceName, paces, spanOf, type TargetLoad } from './target-load.ts';

interface Comparison {
  readonly what: string;
  readonly tls: boolean;
  readonly connection: 'fresh' | 'reuse';
  /** Of the pipeline; the bare loop always has one. */
  readonly origins: number;
  readonly atMost: number;
}

const COMPARISONS: readonly Comparison[] = [
  { what: 'fresh, one origin', tls: false, connection: 'fresh', origins: 1, atMost: 1.15 },
  { what: 'fresh, 10,000 origins', tls: false, connection: 'fresh', origins: 10_000, atMost: 1.15 },
  { what: 'reuse, one origin', tls: false, connection: 'reuse', origins: 1, atMost: 1.35 },
  { what: 'fresh HTTPS, one origin', tls: true, connection: 'fresh', origins: 1, atMost: 1.15 },
];

export async function* cpuRatio(options: PartOptions): AsyncIterable<Figure> {
  for (const comparison of COMPARISONS) {
    await using target = await startNginx({ tls: comparison.tls });
    if (target === null) return;
    for (const pace of paces(comparison)) {
      yield* compare(comparison, { ...target, pace }, options);
    }
  }
}

async function* compare(
  { what, connection, origins, atMost }: Comparison,
  { port, certificate, pace }: { port: number; certificate: string; pace: Pace },
  { rounds, quick }: PartOptions,
): AsyncIterable<Figure> {
  const load: TargetLoad = { port, certificate, connection, origins, pace, span: spanOf(quick) };
  const results = await inRounds(rounds, {
    bare: () => inChild<Window>('bare-loop.ts', { ...load, origins: 1 }),
    pipeline: () => inChild<Window>('pipeline.ts', load, COMMAND_FLAGS),
  });
  const name = `${what}, ${paceName(pace)}`;
  const figure = { part: 'a', unit: 'µs' } as const;
  yield { ...figure, what: `${name}: bare loop`, samples: results.map(({ bare }) => bare.cpuUs) };
  yield {
    ...figure,
    what: `${name}: pipeline`,
    samples: results.map(({ pipeline }) => pipeline.cpuUs),
  };
  yield {
    ...figure,
    what: `${name}: ratio`,
    unit: 'ratio',
    samples: results.map(({ bare, pipeline }) => pipeline.cpuUs / bare.cpuUs),
    bound: { atMost },
  };
}
