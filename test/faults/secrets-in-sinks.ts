/**
 * Secrets in every place that takes one, and sinks that say them back: whole runs of `watcher`, each
 * under another fault. Then everything that left the processes is searched.
 */

import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { request as ask } from 'undici';
import { startCommand, watcher } from '../support/cli.ts';
import { freePort } from '../support/free-ports.ts';
import { type Behaviour, type SinkRequest, startHttpSink } from '../support/http-sink.ts';
import { listening } from '../support/processes.ts';
import { textsBelow } from '../support/secret-forms.ts';
import type { Proof, Row, Size } from './row.ts';
import { inFolder, prepareSite, type Servers, type Site } from './secret-site.ts';

const SIZES = { full: { forMs: 12_000 }, small: { forMs: 2_500 } } as const satisfies Record<
  Size,
  object
>;

/** What a sink sees is part of what it answers; each time another part of it stands first. */
const echo = ({ target, headers, text }: SinkRequest): string => {
  const parts = [target, ...Object.values(headers).toReversed(), text].map(String);
  const first = echoes++ % parts.length;
  return [...parts.slice(first), ...parts.slice(0, first)].join(' ');
};
let echoes = 0;

const jsonOf = (status: number): Weather => ({
  name: `json-${status}`,
  answer: (request) => ({
    status,
    body: JSON.stringify({
      __type: 'InvalidParameterValueException',
      message: echo(request),
      errors: [echo(request)],
    }),
  }),
});
const textOf = (status: number): Weather => ({
  name: `text-${status}`,
  answer: (request) => ({
    status,
    headers: { 'content-type': 'text/plain' },
    body: echo(request),
  }),
});

interface Weather {
  readonly name: string;
  readonly answer: (request: SinkRequest) => Behaviour;
}

const WEATHERS: Readonly<Record<Size, readonly Weather[]>> = {
  small: [jsonOf(400), textOf(401)],
  full: [
    jsonOf(200),
    jsonOf(400),
    jsonOf(401),
    jsonOf(403),
    jsonOf(500),
    textOf(400),
    textOf(401),
    textOf(403),
    textOf(422),
    textOf(503),
    {
      name: 'redirect',
      answer: ({ target, headers }) => ({
        status: 302,
        headers: {
          location: `https://${encodeURIComponent(String(headers['dd-api-key'] ?? 'x')).slice(0, 60)}.fault.test${target}`,
        },
      }),
    },
    { name: 'reset', answer: () => 'reset' },
    { name: 'half', answer: () => 'half' },
    { name: 'hang', answer: () => 'hang' },
    { name: 'well', answer: () => ({ status: 202, body: '{"errors":[],"status":"ok"}' }) },
  ],
};

export const secretsInSinks: Row = {
  name: 'secrets-in-sinks',
  title: 'No secret leaves watcher but to where it was configured for',
  covers: ['src'],
  prove: async (size): Promise<Proof | null> => {
    await using folder = await mkdtempDisposable(path.join(tmpdir(), 'secrets-'));
    await using datadog = await startHttpSink({ tls: true, hosts: ['api.datadoghq.com'] });
    await using strange = await startHttpSink({ tls: true, hosts: ['elsewhere.fault.test'] });
    await using sink = await startHttpSink();
    const site = await prepareSite(folder.path, { datadog, strange, sink });
    const trial = new Trial(site, { datadog, strange, sink });
    for (const [index, weather] of WEATHERS[size].entries())
      await trial.run(weather, { forMs: SIZES[size].forMs, toFile: index % 2 === 1 });
    await trial.commands();
    return trial.proof();
  },
};

class Trial {
  readonly #site: Site;
  readonly #servers: Servers;
  /** All that people may see, by where it was. */
  readonly #seen: Record<string, string> = {};
  #runs = 0;

  constructor(site: Site, servers: Servers) {
    this.#site = site;
    this.#servers = servers;
  }

  async run(
    weather: Weather,
    { forMs, toFile }: { forMs: number; toFile: boolean },
  ): Promise<void> {
    const { folder, args, env, token } = this.#site;
    for (const server of Object.values(this.#servers)) server.always(weather.answer);
    const port = await freePort();
    const logs = toFile ? { LOG_DIR: inFolder(folder, 'logs') } : {};
    const listen = ['--listen', `127.0.0.1:${port}`, '--log-level', 'debug'];
    await using child = startCommand(['run', ...args, ...listen], { env: { ...env, ...logs } });
    const lines: string[] = [];
    const read = (async () => {
      for await (const line of child.lines) lines.push(line);
    })();
    await listening(port, child, 30_000);
    await sleep(forMs);
    const address = `http://127.0.0.1:${port}`;
    for (const route of ['/metrics', '/v1/status', '/v1/self', '/healthz'])
      this.#keep(`${weather.name} ${route}`, await bodyOf(address + route, token));
    this.#keep(`${weather.name} without token`, await bodyOf(`${address}/v1/self`, 'wrong'));
    for (const command of [['status'], ['status', '--json'], ['self'], ['self', '--json']]) {
      const asked = [...command, '--address', address];
      const { stdout, stderr } = await watcher(asked, { env: { WATCHER_TOKEN: token } });
      this.#keep(`${weather.name} ${command}`, stdout + stderr);
    }
    await child.stop();
    await read;
    this.#keep(`${weather.name} stdout`, lines.join('\n'));
    this.#keep(`${weather.name} stderr`, child.stderr());
    this.#runs += lines.length;
  }

  async commands(): Promise<void> {
    const { folder, args, env } = this.#site;
    const checks = inFolder(folder, 'checks');
    const settings = args.slice(0, 2);
    for (const command of [
      ['validate', checks],
      ['validate', checks, '--json'],
      ['doctor', checks, ...settings],
      ['doctor', checks, ...settings, '--json'],
      ['once', ...args.slice(0, 4)],
    ]) {
      const { stdout, stderr } = await watcher(command, { env });
      this.#keep(command.join(' '), stdout + stderr);
    }
  }

  proof(): Proof {
    const { canaries, folder } = this.#site;
    const { datadog, strange, sink } = this.#servers;
    const texts = {
      ...this.#seen,
      ...textsBelow(inFolder(folder, 'state')),
      ...textsBelow(inFolder(folder, 'logs')),
    };
    const requests = [...datadog.requests, ...sink.requests, ...strange.requests];
    const hits = [
      ...canaries.hits(texts),
      ...requests.flatMap((request) => canaries.misplaced(request)),
    ];
    // Where it is must be known to mend it; the secrets are of this run alone.
    for (const hit of hits.slice(0, 20)) console.error(hit);
    const counts = {
      secrets: canaries.count,
      hits: hits.length,
      texts: Object.keys(texts).length,
      bytes: Object.values(texts).reduce((sum, { length }) => sum + length, 0),
      lines: this.#runs,
      requests: requests.length,
      have_a_place: canaries.belonging,
      not_in_their_place: canaries.unplaced(requests).length,
    };
    const isMet = counts.not_in_their_place === 0 && counts.lines > 0;
    return { counts, holds: counts.hits === 0 && isMet };
  }

  #keep(where: string, text: string): void {
    this.#seen[where] = text;
  }
}

const bodyOf = async (url: string, token: string): Promise<string> => {
  const { headers, body } = await ask(url, { headers: { authorization: `Bearer ${token}` } });
  return JSON.stringify(headers) + (await body.text());
};
