/**
 * Part c: 100,000 checks, one a minute each, on fresh connections, for three minutes. One process,
 * the command as it is published, on a folder; lateness is read from the result lines it wrote.
 */

import { mkdtempDisposable, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { allHeld } from '../support/all-held.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { writeEndpointFolder } from '../support/endpoint-folder.ts';
import { addressOf } from '../support/loopback.ts';
import { isInsideNamespace, useResolver } from '../support/network-namespace.ts';
import { startNginx } from '../support/nginx.ts';
import { memoryOf } from '../support/processes.ts';
import { BUILT_COMMAND, startWatcher } from '../support/watcher-process.ts';
import type { Figure } from './figure.ts';
import type { PartOptions } from './part.ts';
import { type ScheduledRuns, scheduledRuns } from './result-lines.ts';
import { quantile } from './statistics.ts';

const CHECKS = 100_000;
const ADDRESSES = 10_000;
const NAMES = 1_000;
const RESOLVER_DELAY_MS = 20;
/** The run at start of every check has its ten seconds, and is no tick. */
const OPENING_MS = 20_000;
const MINUTE_MS = 60_000;
/** Samples are half minutes; the bounds hold for all three minutes and for their median. */
const SLICES = 6;
const BOUNDS = [
  { name: 'p99', share: 0.99, atMost: 5 },
  { name: 'p99.9', share: 0.999, atMost: 20 },
] as const;

export async function* lateness({ quick }: PartOptions): AsyncIterable<Figure> {
  const size = quick
    ? { checks: 3_000, measureMs: 6_000 }
    : { checks: CHECKS, measureMs: 3 * MINUTE_MS };
  await using target = await startNginx();
  if (target === null) return;
  const addresses = (index: number) => `${addressOf(index % ADDRESSES)}:${target.port}`;
  yield* measure(`${size.checks} checks, ${ADDRESSES} addresses`, addresses, size);

  if (!isInsideNamespace()) return console.warn('skipped: host names need a namespace of our own');
  await using resolver = await startSlowResolver();
  const names = (index: number) => `host-${index % NAMES}.bench.test:${target.port}`;
  yield* measure(`${size.checks} checks, ${NAMES} names`, names, size);
  yield {
    part: 'c',
    what: 'questions to the resolver',
    unit: 'runs',
    samples: [resolver.queries()],
  };
}

async function startSlowResolver() {
  const folder = await mkdtempDisposable(path.join(tmpdir(), 'resolver-'));
  useResolver('127.0.0.1', folder.path);
  const addressOfName = (name: string) => {
    const [, number] = /^host-(\d+)\.bench\.test$/.exec(name) ?? [];
    return number === undefined ? null : addressOf(Number(number));
  };
  return startDnsServer({ port: 53, delayMs: RESOLVER_DELAY_MS, addressOf: addressOfName });
}

async function* measure(
  what: string,
  originOf: (index: number) => string,
  { checks, measureMs }: { readonly checks: number; readonly measureMs: number },
): AsyncIterable<Figure> {
  await using folder = await mkdtempDisposable(path.join(tmpdir(), 'watcher-bench-'));
  const config = path.join(folder.path, 'checks');
  await writeEndpointFolder({ folder: config, endpoints: checks, files: checks / 100, originOf });
  const lines = path.join(folder.path, 'results.jsonl');
  await using results = await open(lines, 'w');
  await using watcher = await startWatcher({ command: BUILT_COMMAND, config, stdout: results.fd });
  await allHeld(watcher, checks);
  await sleep(OPENING_MS);
  const from = Date.now();
  const peakBytes = await highestMemory(watcher.pid, measureMs);
  const skipped = (await watcher.metrics()).each('watcher_checks_skipped_total', 'reason');
  await watcher.stop();
  const runs = await scheduledRuns(lines, { from, until: from + measureMs });
  yield* latenessFigures(what, runs, { from, measureMs });
  const failed = runs.ticks.length - (runs.statuses.get('ok') ?? 0);
  const none = { part: 'c', unit: 'runs', bound: { atMost: 0 } } as const;
  yield { ...none, what: `${what}: not ok, of ${runs.ticks.length}`, samples: [failed] };
  for (const [reason, count] of skipped) {
    yield { ...none, what: `${what}: skipped(${reason}) since the start`, samples: [count] };
  }
  const [rss, bound] = [[peakBytes / 1e6], { atMost: 350 }];
  yield { part: 'c', what: `${what}: highest RSS`, unit: 'MB', samples: rss, bound };
}

function* latenessFigures(
  what: string,
  { ticks, lateness }: ScheduledRuns,
  { from, measureMs }: { readonly from: number; readonly measureMs: number },
): Iterable<Figure> {
  const sliceMs = measureMs / SLICES;
  const all = lateness.toSorted();
  const slices = Array.from({ length: SLICES }, (_, slice) =>
    lateness
      .filter((_, run) => Math.floor(((ticks[run] ?? 0) - from) / sliceMs) === slice)
      .toSorted(),
  );
  for (const { share, name, atMost } of BOUNDS) {
    const figure = { part: 'c', unit: 'ms', bound: { atMost } } as const;
    yield { ...figure, what: `${what}: ${name} lateness`, samples: [quantile(all, share)] };
    const samples = slices.map((slice) => quantile(slice, share));
    yield { ...figure, what: `${what}: ${name} lateness, by half minute`, samples };
  }
  yield { part: 'c', what: `${what}: latest`, unit: 'ms', samples: [all.at(-1) ?? Number.NaN] };
}

async function highestMemory(pid: number, forMs: number): Promise<number> {
  let highest = 0;
  for (
    const end = Date.now() + forMs;
    Date.now() < end;
    await sleep(Math.min(1_000, end - Date.now()))
  ) {
    highest = Math.max(highest, (await memoryOf(pid)).rssBytes);
  }
  return highest;
}
