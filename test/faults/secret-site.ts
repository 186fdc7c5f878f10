/** A folder with all that `watcher run` reads, and a secret in every place that takes one. */

import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type HttpSink, sinkAuthority } from '../support/http-sink.ts';
import { Canaries } from './canaries.ts';

export interface Servers {
  readonly datadog: HttpSink;
  /** Whose certificate is for another host. */
  readonly strange: HttpSink;
  readonly sink: HttpSink;
}

/** Where the secrets are, and how to start there. */
export interface Site {
  readonly folder: string;
  readonly canaries: Canaries;
  readonly env: Readonly<Record<string, string>>;
  readonly args: readonly string[];
  readonly token: string;
}

export const inFolder = (folder: string, name: string): string => path.join(folder, name);

export async function prepareSite(
  folder: string,
  { datadog, strange, sink }: Servers,
): Promise<Site> {
  const canaries = new Canaries();
  const env: Record<string, string> = {};
  await mkdir(inFolder(folder, 'checks'));
  await mkdir(inFolder(folder, 'logs'));
  await mkdir(inFolder(folder, 'kept'));
  const inEnvironment = (value: string): string => {
    const name = `CANARY_${Object.keys(env).length}`;
    env[name] = value;
    return `\${env:${name}}`;
  };
  let files = 0;
  const inFile = async (value: string): Promise<string> => {
    const file = inFolder(folder, `kept/${files++}`);
    await writeFile(file, `${value}\n`);
    return `\${file:${file}}`;
  };
  const token = canaries.make(null, { plain: true });
  const at = (where: string | null, part: string, options = {}) =>
    canaries.make({ path: where, part }, options);
  const settings = {
    listen_token: inEnvironment(token),
    run_at_start: true,
    connect_to: [
      `api.datadoghq.com:443:127.0.0.1:${datadog.port}`,
      `api.datadoghq.eu:443:127.0.0.1:${strange.port}`,
    ],
    sinks: [
      { kind: 'datadog', api_key: inEnvironment(at(null, 'dd-api-key')) },
      { kind: 'datadog', site: 'datadoghq.eu', api_key: await inFile(canaries.make()) },
      {
        kind: 'cloudwatch',
        region: 'eu-central-1',
        namespace: 'Fault',
        aws_key: inEnvironment(at('/', 'authorization', { plain: true })),
        aws_secret: await inFile(canaries.make()),
      },
      {
        kind: 'eventbridge',
        region: 'eu-west-1',
        aws_key: await inFile(at('/', 'authorization', { plain: true })),
        aws_secret: inEnvironment(canaries.make()),
      },
      {
        kind: 'webhook',
        on: 'every',
        url: `${sink.url}/hook?key=${inEnvironment(at('/hook', 'url', { plain: true }))}`,
        headers: {
          authorization: `Bearer ${inEnvironment(at('/hook', 'authorization'))}`,
          'x-token': await inFile(at('/hook', 'x-token')),
        },
      },
    ],
  };
  await writeFile(inFolder(folder, 'watcher.yml'), JSON.stringify(settings));
  await writeChecks(folder, { canaries, sink, inEnvironment, inFile });
  return {
    folder,
    canaries,
    token,
    env: {
      ...env,
      NODE_EXTRA_CA_CERTS: inFolder(folder, 'authority.pem'),
      AWS_ENDPOINT_URL: sink.url,
    },
    args: [
      '--settings',
      inFolder(folder, 'watcher.yml'),
      '--config',
      inFolder(folder, 'checks'),
      '--state',
      inFolder(folder, 'state'),
    ],
  };
}

interface CheckSources {
  readonly canaries: Canaries;
  readonly sink: HttpSink;
  readonly inEnvironment: (value: string) => string;
  readonly inFile: (value: string) => Promise<string>;
}

/** Where a key of an endpoint goes, and the part of a request that then holds it. */
const PLACES = {
  query: 'url',
  header: 'x-name',
  bearer: 'authorization',
  basic: 'authorization',
  body: 'body',
} as const;

async function writeChecks(
  folder: string,
  { canaries, sink, inEnvironment, inFile }: CheckSources,
): Promise<void> {
  const host = new URL(sink.url).host;
  const checks: Record<string, object> = {};
  const common = { cron_schedule: '* * * * * *', scheme: 'http', timeout: '2s' };
  for (const [place, part] of Object.entries(PLACES)) {
    const value = canaries.make({ path: `/post/${place}`, part });
    const post_api_key = { param_name: 'x-name', param_value: value, in: place };
    const url = `${sink.url}/post/${place}`;
    checks[`${host}/target/${place}`] = {
      ...common,
      post_endpoint: { url, post_api_key, post_json_info: { title: 'a title' } },
    };
  }
  const key = { path: '/', part: 'authorization' };
  checks[`${host}/target/aws`] = {
    ...common,
    post_service: {
      service: 'aws-cloudwatch',
      aws_key: canaries.make(key, { plain: true }),
      aws_secret: canaries.make(),
      data_source: 'fault',
      data_detail_type: 'fault',
      data_details_json: { status: 'a status' },
    },
  };
  const at = (name: string, part: string) => canaries.make({ path: `/target/${name}`, part });
  const username = await inFile(at('basic-auth', 'authorization'));
  const password = inEnvironment(at('basic-auth', 'authorization'));
  checks[`${host}/target/basic-auth`] = { ...common, auth: { basic: { username, password } } };
  const bearer = inEnvironment(at('bearer-auth', 'authorization'));
  checks[`${host}/target/bearer-auth`] = { ...common, auth: { bearer } };
  const header = await inFile(at('with-header', 'x-token'));
  checks[`${host}/target/with-header`] = { ...common, headers: { 'x-token': header } };
  await writeFile(inFolder(folder, 'checks/checks.yml'), JSON.stringify(checks, null, 2));
  await writeFile(inFolder(folder, 'checks/bad.yml'), badFile(host, canaries));
  await writeFile(inFolder(folder, 'authority.pem'), sinkAuthority());
}

/** Wrong in each way right where its secrets are. */
const badFile = (host: string, canaries: Canaries): string => `
${host}/bad/1:
  cron_schedule: "* * * * *"
  auth:
    bearer: [${JSON.stringify(canaries.make())}]
${host}/bad/2:
  cron_schedule: "* * * * *"
  post_endpoint:
    url: ${sinkless(host)}
    post_api_key:
      param_name: x
      parm_value: ${JSON.stringify(canaries.make())}
${host}/bad/3:
  post_service: aws-cloudwatch
    aws_key: ${canaries.make(null, { plain: true })}
    aws_secret: ${canaries.make(null, { plain: true })}
`;

const sinkless = (host: string): string => `http://${host}/bad`;
