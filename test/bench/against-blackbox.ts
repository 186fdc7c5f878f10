/**
 * Part b: checks per CPU-second against the Prometheus blackbox exporter, which judges the same
 * body. The exporter is asked over kept connections, as a Prometheus does; towards the target it
 * knows fresh connections only, so our kept ones are named as such.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { type BlackboxExporter, startBlackboxExporter } from '../support/blackbox-exporter.ts';
import { startNginx } from '../support/nginx.ts';
import { cpuMsOf } from '../support/processes.ts';
import { COMMAND_FLAGS } from '../support/watcher-process.ts';
import { startLoad } from './dispatch-load.ts';
import type { Figure } from './figure.ts';
import { inChild, type Span, type Window } from './measured-window.ts';
import type { PartOptions } from './part.ts';
import { inRounds } from './rounds.ts';
import { type Pace, paceName, paces, spanOf, type TargetLoad } from './target-load.ts';

export async function* againstBlackbox({ rounds, quick }: PartOptions): AsyncIterable<Figure> {
  await using target = await startNginx();
  await using exporter = await startBlackboxExporter();
  if (target === null || exporter === null) return;
  const span = spanOf(quick);
  for (const pace of paces({ tls: false })) {
    const load: Omit<TargetLoad, 'connection'> = {
      port: target.port,
      certificate: '',
      origins: 1,
      pace,
      span,
    };
    const results = await inRounds(rounds, {
      exporter: () => exporterCpu(exporter, target.port, { pace, span }),
      fresh: () => pipelineCpu({ ...load, connection: 'fresh' }),
      reuse: () => pipelineCpu({ ...load, connection: 'reuse' }),
    });
    yield* figuresOf(results, pace);
  }
}

/** CPU microseconds a check, by side. */
type Costs = readonly {
  readonly exporter: number;
  readonly fresh: number;
  readonly reuse: number;
}[];

/** The bounds are for what a CPU-second can do at most; the rate shows how it is with less to do. */
function* figuresOf(results: Costs, pace: Pace): Iterable<Figure> {
  const part = 'b';
  const saturated = pace.kind === 'saturated';
  const name = paceName(pace);
  for (const side of ['exporter', 'fresh', 'reuse'] as const) {
    const samples = results.map((costs) => 1e6 / costs[side]);
    yield { part, what: `${name}: checks per CPU-second, ${NAMES[side]}`, unit: '1/s', samples };
  }
  const over = (side: 'fresh' | 'reuse') => ({
    part,
    what: `${name}: ${NAMES[side]} over ${NAMES.exporter}`,
    unit: 'ratio' as const,
    samples: results.map((costs) => costs.exporter / costs[side]),
  });
  yield { ...over('fresh'), ...(saturated ? { bound: { atLeast: 4 } } : {}) };
  yield { ...over('reuse'), ...(saturated ? { bound: { atLeast: 20 } } : {}) };
}

const NAMES = {
  exporter: 'blackbox exporter (fresh)',
  fresh: 'watcher fresh',
  reuse: 'watcher on kept connections',
} as const;

const pipelineCpu = async (load: TargetLoad): Promise<number> =>
  (await inChild<Window>('pipeline.ts', load, COMMAND_FLAGS)).cpuUs;

/** Its CPU a check, while this process asks it as a Prometheus would, 64 at a time or at a rate. */
async function exporterCpu(
  exporter: BlackboxExporter,
  targetPort: number,
  { pace, span }: { readonly pace: Pace; readonly span: Span },
): Promise<number> {
  const origin = `http://127.0.0.1:${exporter.port}`;
  const path = exporter.probePath(`http://127.0.0.1:${targetPort}/health`);
  await using asking = startLoad({
    origin,
    path,
    pace,
    judge: (body) => {
      if (!body.includes('probe_success 1'))
        throw new Error('the exporter finds the target unwell');
    },
  });
  await sleep(span.warmUpMs);
  const before = { checks: asking.done(), cpuMs: await cpuMsOf(exporter.pid) };
  await sleep(span.measureMs);
  const cpuMs = (await cpuMsOf(exporter.pid)) - before.cpuMs;
  return (cpuMs * 1000) / (asking.done() - before.checks);
}
