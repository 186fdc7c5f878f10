/** Debian's Prometheus, scraping one address every second: what /metrics is for. */

import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { programOf } from './debian-packages.ts';
import { freePort } from './free-ports.ts';
import { listening, startProcess } from './processes.ts';

export interface Prometheus extends AsyncDisposable {
  /** An instant query: value by the labels, as JSON without the name, job and instance. */
  query(expression: string): Promise<ReadonlyMap<string, number>>;
}

interface Answer {
  readonly data: {
    readonly result: readonly {
      readonly metric: Readonly<Record<string, string>>;
      readonly value: readonly [at: number, value: string];
    }[];
  };
}

/** Null where it cannot be had. */
export async function startPrometheus(target: string): Promise<Prometheus | null> {
  const program = await programOf('prometheus');
  if (program === null) return null;
  await using resources = new AsyncDisposableStack();
  const folder = resources.use(await mkdtempDisposable(path.join(tmpdir(), 'prometheus-')));
  const port = await freePort();
  const config = path.join(folder.path, 'prometheus.yml');
  await writeFile(
    config,
    `{global: {scrape_interval: 1s}, scrape_configs: [{job_name: watcher, static_configs: [{targets: ['${target}']}]}]}`,
  );
  const child = resources.use(
    startProcess(
      [
        program.file,
        `--config.file=${config}`,
        `--storage.tsdb.path=${path.join(folder.path, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--log.level=error',
      ],
      { env: program.env, stdout: 'ignore' },
    ),
  );
  await listening(port, child);
  // It listens before it has opened its store, and answers 503 until then.
  while ((await statusOf(`http://127.0.0.1:${port}/-/ready`)) !== 200) await sleep(100);
  const owned = resources.move();
  return {
    query: async (expression) => {
      const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(expression)}`;
      const { body } = await request(url);
      const { data } = (await body.json()) as Answer;
      return new Map(
        data.result.map(({ metric, value: [, value] }) => {
          const { __name__, job, instance, ...labels } = metric;
          return [JSON.stringify(labels), Number(value)];
        }),
      );
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const statusOf = async (url: string): Promise<number> => {
  const { statusCode, body } = await request(url);
  await body.dump();
  return statusCode;
};
