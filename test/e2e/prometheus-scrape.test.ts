import { mkdir, mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { startHttpSink } from '../support/http-sink.ts';
import { startPrometheus } from '../support/prometheus.ts';
import { startWatcher } from '../support/watcher-process.ts';

it('shows a real Prometheus each check, what it costs, and what became of results', async ({
  skip,
}) => {
  await using place = await mkdtempDisposable(path.join(tmpdir(), 'scrape-'));
  await using target = await startHttpSink();
  await using sink = await startHttpSink();
  const config = path.join(place.path, 'configs');
  await mkdir(config);
  const check = (name: string, path_: string, expected: string): string =>
    [
      `${name}:`,
      '  cron_schedule: "* * * * * *"',
      `  url: ${target.url}${path_}`,
      '  response_json_values: [status]',
      `  success_test: {key: status, value: ${expected}}`,
      `  post_endpoint: {url: "${sink.url}/posts"}`,
    ].join('\n');
  const bodies: Readonly<Record<string, string>> = { '/up': 'ok', '/down': 'bad' };
  target.always(({ path: asked }) => ({
    status: 200,
    body: JSON.stringify({ status: bodies[asked] ?? '' }),
  }));
  await writeFile(
    path.join(config, 'checks.yml'),
    [check('good', '/up', 'ok'), check('bad', '/down', 'ok')].join('\n'),
  );
  await using watcher = await startWatcher({
    config,
    args: ['--state', path.join(place.path, 'state')],
    stdout: 'ignore',
  });
  await using prometheus = await startPrometheus(`127.0.0.1:${watcher.port}`);
  skip(prometheus === null, 'there is no prometheus on this machine');
  if (prometheus === null) return;
  const deadline = performance.now() + 30_000;
  while (performance.now() < deadline) {
    const seen = await prometheus.query('count_over_time(watcher_checks_run_total[60s]) >= 5');
    if (seen.size > 0) break;
    await sleep(500);
  }
  expect(await prometheus.query('watcher_check_success')).toEqual(
    new Map([
      ['{"check":"bad"}', 0],
      ['{"check":"good"}', 1],
    ]),
  );
  const unaccounted = await prometheus.query('watcher_sink_unaccounted');
  expect([...unaccounted.values()].every((value) => value === 0)).toBe(true);
  const label = JSON.stringify({ sink: `post 127.0.0.1:${sink.port}` });
  expect(unaccounted.has(label)).toBe(true);
  const rates = await prometheus.query('rate(watcher_sink_delivered_total[30s])');
  expect(rates.get(label)).toBeGreaterThan(0);
  const p99 = await prometheus.query(
    'histogram_quantile(0.99, rate(watcher_check_duration_seconds_bucket[30s]))',
  );
  expect(p99.get('{}')).toBeLessThan(10);
  expect((await prometheus.query('watcher_spool_size_bytes')).size).toBe(2);
});
