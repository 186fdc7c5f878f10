import { once } from 'node:events';
import { copyFile, mkdir, mkdtempDisposable, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { expect, it } from 'vitest';
import { startAwsDouble } from '../support/aws-double.ts';
import { makeCertificate } from '../support/certificates.ts';
import { startCommand, watcher } from '../support/cli.ts';
import { freePort } from '../support/free-ports.ts';
import { sinkAuthority, startHttpSink } from '../support/http-sink.ts';
import { hitsIn, textsBelow } from '../support/secret-forms.ts';

const FIXTURES = path.resolve(import.meta.dirname, '../fixtures');
/** As they stand in the files. */
const DATADOG_KEY = '9775a026f1ca7d1c6c5af9d94d9595a4';
const AWS = { key: 'asdfasdfsa', secret: 'asdfasdfa' };
/** After the runs at start; each is a minute. The proof at full size waits for more. */
const TICKS = Number(process.env['ORIGINAL_TICKS'] ?? 1);
const MINUTE_MS = 60_000;
const SLACK_MS = 5_000;

interface Line {
  readonly check: string;
  readonly tick: string;
  readonly status: string;
  readonly values: Readonly<Record<string, string>>;
  readonly unscheduled?: true;
  readonly certificate_expires?: string;
}

const target: RequestListener = (_, response) => {
  response.end('{"status":"ok","app":"mixsig","version":"1.2"}');
};

const listening = async (server: Server): Promise<number> => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
};

const copyFixtures = async (folder: string): Promise<void> => {
  for (const name of ['notes-endpoints.yml', 'notes-self.yml'])
    await copyFile(path.join(FIXTURES, name), path.join(folder, name));
};

const secureCheck = (ca: string): string =>
  [
    'secure.example.com/health:',
    '  cron_schedule: "* * * * * *"',
    '  scheme: https',
    '  response_json_values: [status]',
    '  success_test: {key: status, value: ok}',
    `  tls: {ca: ${ca}}`,
  ].join('\n');

it('accepts the original files as they stand', async () => {
  await using folder = await mkdtempDisposable(path.join(tmpdir(), 'original-'));
  await copyFixtures(folder.path);
  const validated = await watcher(['validate', folder.path]);
  expect(validated.code).toBe(0);
  expect(validated.stdout).toContain('2 checks, 2 self blocks, 0 errors, 12 warnings');
});

it(
  'runs the original files and posts byte for byte what they configure, and shows no key',
  async () => {
    await using place = await mkdtempDisposable(path.join(tmpdir(), 'original-'));
    const [config, state] = [path.join(place.path, 'configs'), path.join(place.path, 'state')];
    await mkdir(config);
    await copyFixtures(config);
    const authority = makeCertificate({ isAuthority: true });
    const issued = (...hosts: string[]) => makeCertificate({ hosts, issuer: authority });
    const ca = path.join(place.path, 'ca.pem');
    await writeFile(ca, `${authority.cert}${sinkAuthority()}`);
    await writeFile(path.join(config, 'secure.yml'), secureCheck(ca));

    const plain = createServer(target);
    const secure = createTlsServer(issued('secure.example.com'), target);
    await using datadog = await startHttpSink({ tls: true, hosts: ['app.datadoghq.com'] });
    datadog.always({ status: 202, body: '{"status":"ok","event":{"id":1}}' });
    await using aws = await startAwsDouble({
      keys: new Map([[AWS.key, AWS.secret]]),
      tls: issued('monitoring.us-east-1.amazonaws.com', 'events.us-east-1.amazonaws.com'),
    });
    const [http, https] = [await listening(plain), await listening(secure)];
    const listen = await freePort();
    const goes = (from: string, port: number) => ['--connect-to', `${from}:127.0.0.1:${port}`];
    await using child = startCommand(
      [
        ...['run', '--config', config, '--state', state, '--listen', `127.0.0.1:${listen}`],
        ...goes('www.fabricsounds.com:80', http),
        ...goes('mixsig.fabricsounds.com:80', http),
        ...goes('secure.example.com:443', https),
        ...goes('app.datadoghq.com:443', datadog.port),
        ...goes('monitoring.us-east-1.amazonaws.com:443', aws.port),
        ...goes('events.us-east-1.amazonaws.com:443', aws.port),
      ],
      { env: { NODE_EXTRA_CA_CERTS: ca } },
    );
    const lines: Line[] = [];
    const read = (async () => {
      for await (const text of child.lines) lines.push(JSON.parse(text) as Line);
    })();
    // The run at start, then in each minute the check and the self block with an endpoint. The other
    // self block has a second of its own in the minute.
    await datadog.received(1);
    const upAt = performance.now();
    await datadog.received(1 + 2 * TICKS);
    await sleep(Math.max(0, upAt + TICKS * MINUTE_MS + SLACK_MS - performance.now()));
    const answers = await Promise.all(
      ['metrics', 'v1/status', 'v1/self'].map(async (route) => {
        const { body } = await request(`http://127.0.0.1:${listen}/${route}`);
        return [route, await body.text()] as const;
      }),
    );
    const texts = { ...Object.fromEntries(answers), ...textsBelow(state) };
    const { code } = await child.stop();
    await read;
    expect(code).toBe(0);

    const ran = (check: string) => lines.filter((line) => line.check === check);
    expect(new Set(lines.map(({ status }) => status))).toEqual(new Set(['ok']));
    expect(ran('mixsig.fabricsounds.com/health')[0]?.values).toEqual({
      status: 'ok',
      app: 'mixsig',
      version: '1.2',
    });
    expect(ran('secure.example.com/health')[0]?.certificate_expires).toMatch(/^20\d\d-/);
    const second = (line: Line): number => Math.floor(Date.parse(line.tick) / 1000);

    // Datadog: every run of the check, and each report of the self block.
    const bodies = datadog.requests.map(({ text }) => text);
    for (const sent of datadog.requests) {
      expect([sent.method, sent.path, sent.query.get('api_key')]).toEqual([
        'POST',
        '/api/v1/events',
        DATADOG_KEY,
      ]);
      expect(sent.headers['content-type']).toBe('application/json');
    }
    const runs = ran('www.fabricsounds.com/health');
    expect(runs.length).toBeGreaterThanOrEqual(2);
    for (const line of runs)
      expect(bodies).toContain(
        `{"title":"fabricsounds health","text":"health ok","tags":["status:ok"],"date_happened":${second(line)}}`,
      );
    const selves = bodies.filter((body) => body.includes('watcher-monitor'));
    expect(selves.length).toBeGreaterThanOrEqual(1);
    for (const body of selves)
      expect(body).toMatch(
        /^\{"title":"watcher-monitor","text":"health ok","date_happened":\d{10}\}$/,
      );
    expect(bodies).toHaveLength(runs.length + selves.length);

    // EventBridge: every run of the other check.
    const mixsig = ran('mixsig.fabricsounds.com/health');
    expect(aws.refusals).toEqual([]);
    expect(aws.entries.map(({ Time, ...entry }) => ({ ...entry, at: Number(Time) }))).toEqual(
      mixsig.map((line) => ({
        Source: 'mixsig.fabricsounds.com/health',
        DetailType: 'type1',
        Detail: '{"status":"ok","app":"mixsig","version":"1.2"}',
        Resources: ['health'],
        at: Date.parse(line.tick) / 1000,
      })),
    );
    // CloudWatch: the same runs as numbers, and both self blocks under their sources.
    const datums = aws.metrics.flatMap(({ MetricData }) => MetricData);
    const of = (name: string, source: string) =>
      datums.filter(
        ({ MetricName, Dimensions = [] }) =>
          MetricName === name && Dimensions.some(({ Value }) => Value === source),
      );
    const successes = of('watcher.check.success', 'mixsig.fabricsounds.com/health');
    const counted = successes
      .flatMap(({ Values, Counts = Values.map(() => 1) }) => Counts)
      .reduce((a, b) => a + b, 0);
    expect(counted).toBe(mixsig.length);
    expect(new Set(successes.flatMap(({ Values = [] }) => Values))).toEqual(new Set([1]));
    expect(of('watcher.checks.held', 'watcher.fabricsounds.com').length).toBeGreaterThan(0);

    // The keys, in no form, anywhere but where they belong.
    const secrets = [DATADOG_KEY, AWS.key, AWS.secret];
    const shown = { ...texts, stderr: child.stderr(), stdout: JSON.stringify(lines) };
    expect(hitsIn(secrets, { ...shown, ...textsBelow(state) })).toEqual([]);
    expect(
      hitsIn(secrets, Object.fromEntries(bodies.map((body, n) => [`body ${n}`, body]))),
    ).toEqual([]);
    plain.close();
    secure.close();
    const file = process.env['ORIGINAL_COUNTS'];
    const counts = { runs: runs.length + mixsig.length, posts: bodies.length };
    if (file !== undefined)
      await writeFile(
        file,
        JSON.stringify({ ...counts, events: aws.entries.length, datums: datums.length }),
      );
  },
  (TICKS + 1) * MINUTE_MS + 30_000,
);
