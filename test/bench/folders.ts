/** Part e: what folders cost: validated by the command, loaded again unchanged, loaded while checks run. */

import { mkdtempDisposable, open, readdir, rename } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { allHeld } from '../support/all-held.ts';
import { type FolderOptions, writeEndpointFolder } from '../support/endpoint-folder.ts';
import { addressOf } from '../support/loopback.ts';
import { startNginx } from '../support/nginx.ts';
import { outputOf } from '../support/processes.ts';
import { BUILT_COMMAND, startWatcher } from '../support/watcher-process.ts';
import type { Figure } from './figure.ts';
import { inChild } from './measured-window.ts';
import type { PartOptions } from './part.ts';
import { scheduledRuns } from './result-lines.ts';
import { inRounds } from './rounds.ts';

/** All due at once, each second: so few that the last of them is soon at its turn. */
const RUNNING = 100;

const originOf = (index: number) => `service-${index % 5_000}.example.com:8080`;

export async function* folders({ rounds, quick }: PartOptions): AsyncIterable<Figure> {
  await using temporary = await mkdtempDisposable(path.join(tmpdir(), 'watcher-bench-'));
  const folderOf = async (
    name: string,
    options: Pick<FolderOptions, 'endpoints' | 'files' | 'broken'>,
  ) => {
    const folder = path.join(temporary.path, name);
    await writeEndpointFolder({ folder, originOf, ...options });
    return folder;
  };
  yield* ordinary(await folderOf('sound', { endpoints: 2_000, files: 20 }), rounds);
  yield* broken(await folderOf('broken', { endpoints: 2_000, files: 20, broken: true }), rounds);
  const files = quick ? 20 : 1_000;
  yield* large(await folderOf('large', { endpoints: files * 100, files }), rounds);
  yield* whileRunning(temporary.path, quick ? 1 : rounds);
}

async function* ordinary(folder: string, rounds: number): AsyncIterable<Figure> {
  const samples = await timesOf(rounds, () => validate(folder));
  yield { part: 'e', what: 'validate 2,000 endpoints', unit: 's', samples, bound: { atMost: 0.7 } };
}

async function* broken(folder: string, rounds: number): AsyncIterable<Figure> {
  const samples = await timesOf(rounds, () => validate(folder));
  const what = 'validate 2,000 endpoints, each in need of repair';
  yield { part: 'e', what, unit: 's', samples, bound: { atMost: 2 } };
}

async function* large(folder: string, rounds: number): AsyncIterable<Figure> {
  const results = await inRounds(rounds, {
    yaml: () => seconds(() => inChild('yaml-alone.ts', { folder })),
    watcher: () => seconds(() => validate(folder)),
    again: async () =>
      (await inChild<{ againMs: number }>('load-twice.ts', { folder })).againMs / 1000,
  });
  const figure = { part: 'e', unit: 's' } as const;
  yield {
    ...figure,
    what: 'yaml alone on the large folder',
    samples: results.map(({ yaml }) => yaml),
  };
  yield {
    ...figure,
    what: 'validate the large folder',
    samples: results.map(({ watcher }) => watcher),
  };
  const ratios = results.map(({ yaml, watcher }) => watcher / yaml);
  yield {
    ...figure,
    what: 'validate over yaml alone',
    unit: 'ratio',
    samples: ratios,
    bound: { atMost: 1.25 },
  };
  const again = results.map((round) => round.again);
  yield { ...figure, what: 'the same folder loaded again', samples: again, bound: { atMost: 1 } };
}

/** 100 checks run every second while files with 10,000 more are moved into their folder. */
async function* whileRunning(temporary: string, rounds: number): AsyncIterable<Figure> {
  await using target = await startNginx();
  if (target === null) return;
  const results = await inRounds(rounds, {
    latest: () => latestWhileLoading(temporary, target.port),
  });
  const samples = results.map(({ latest }) => latest);
  const what = 'latest run while 10,000 endpoints are loaded';
  yield { part: 'e', what, unit: 'ms', samples, bound: { atMost: 50 } };
}

async function latestWhileLoading(temporary: string, port: number): Promise<number> {
  await using folder = await mkdtempDisposable(path.join(temporary, 'running-'));
  const config = path.join(folder.path, 'checks');
  const coming = path.join(folder.path, 'coming');
  const address = (index: number) => `${addressOf(index)}:${port}`;
  await writeEndpointFolder({
    folder: config,
    endpoints: RUNNING,
    files: 5,
    cron: '* * * * * *',
    originOf: address,
  });
  await writeEndpointFolder({
    folder: coming,
    endpoints: 10_000,
    files: 100,
    originOf: (n) => address(n + RUNNING),
  });
  const lines = path.join(folder.path, 'results.jsonl');
  await using results = await open(lines, 'w');
  await using watcher = await startWatcher({ command: BUILT_COMMAND, config, stdout: results.fd });
  await sleep(5_000);
  const from = Date.now();
  for (const file of await readdir(coming)) {
    await rename(path.join(coming, file), path.join(config, `more-${file}`));
  }
  await allHeld(watcher, RUNNING + 10_000);
  const until = Date.now();
  await sleep(1_000);
  await watcher.stop();
  const { lateness } = await scheduledRuns(lines, { from, until });
  return Math.max(...lateness);
}

const validate = (folder: string): Promise<unknown> =>
  outputOf([...BUILT_COMMAND, 'validate', folder]);

const seconds = async (work: () => Promise<unknown>): Promise<number> => {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
};

const timesOf = async (rounds: number, work: () => Promise<unknown>): Promise<number[]> => {
  const results = await inRounds(rounds, { time: () => seconds(work) });
  return results.map(({ time }) => time);
};
