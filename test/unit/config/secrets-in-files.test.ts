// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are what is tested

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readCheckFile } from '../../../src/shared/config/check-file.ts';
import { RENDERERS } from '../../../src/shared/config/diagnostics.ts';
import { FolderLoader } from '../../../src/shared/config/folder.ts';
import { withSecrets } from '../../../src/shared/secrets/positions.ts';
import { check, codes, codesAndPlaces, definitions, read } from './reading.ts';

const SECRET = 'hunter2-hunter2';
/** Each place of a check file that takes a secret, with one in it. */
const PLACES = [
  ['basic password', [`auth: { basic: { username: me, password: ${SECRET} } }`]],
  ['bearer token', [`auth: { bearer: ${SECRET} }`]],
  ['Authorization', [`headers: { Authorization: ${SECRET} }`]],
  ['Cookie', [`headers: { cookie: ${SECRET} }`]],
  ['Proxy-Authorization', [`headers: { Proxy-Authorization: ${SECRET} }`]],
  ['header with a key', [`headers: { DD-API-KEY: ${SECRET} }`]],
  ['header with a token', [`headers: { X-Vault-Token: ${SECRET} }`]],
  [
    'key of an endpoint',
    [
      `post_endpoint: { url: "https://a.example.com/", post_api_key: { param_name: k, param_value: ${SECRET} } }`,
    ],
  ],
  [
    'key of AWS',
    [
      `post_service: { service: aws-cloudwatch, aws_region: a, aws_key: ${SECRET}, aws_secret: "\${env:S}" }`,
    ],
  ],
  [
    'secret of AWS',
    [
      `post_service: { service: aws-cloudwatch, aws_region: a, aws_key: "\${env:K}", aws_secret: ${SECRET} }`,
    ],
  ],
] as const;

const refused = (text: string) =>
  readCheckFile(
    { file: 'shop.yml', name: 'shop.yml', bytes: Buffer.from(text), inlineSecrets: 'refuse' },
    {},
  );

describe('a secret in a file', () => {
  it.each(PLACES)('gets advice, and is what would be sealed: %s', (_, lines) => {
    const file = read(check(...lines));
    expect(codes(file)).toEqual(['I201']);
    const changed: string[] = [];
    for (const { spec } of definitions(file))
      withSecrets(spec, (text) => {
        changed.push(text);
        return text;
      });
    expect(changed.filter((text) => text === SECRET)).toEqual([SECRET]);
  });

  it.each(PLACES)('is an error at its place where it cannot be sealed: %s', (_, lines) => {
    const file = refused(check(...lines));
    expect(file.checks).toEqual([]);
    expect(codesAndPlaces(file)).toEqual(
      codesAndPlaces(read(check(...lines))).map((at) => at.replace('I201', 'E514')),
    );
    const [line = ''] = file.diagnostics.map(RENDERERS.text);
    expect(line).toMatch(
      /^shop\.yml:3:\d+: error E514 .* is a secret that stands in the file, and/,
    );
    expect(line).toContain('pool_key');
    expect(line).not.toContain(SECRET);
  });

  it('is none where a reference stands, and then nothing is refused', () => {
    const file = refused(check('auth: { bearer: "${env:TOKEN}" }'));
    expect(codes(file)).toEqual([]);
    expect(file.checks).toHaveLength(1);
  });

  it('changes nothing else of a spec when it is sealed', () => {
    const lines = PLACES.filter((_, n) => [0, 5, 7, 8].includes(n)).flatMap(([, line]) => line);
    const [definition] = definitions(read(check('body: "{}"', 'zone: eu', ...lines)));
    if (!definition) throw new Error('no check');
    const sealed = withSecrets(definition.spec, (text) => `<${text}>`);
    expect(JSON.stringify(sealed).replaceAll(/<([^>]*)>/g, '$1')).toBe(
      JSON.stringify(definition.spec),
    );
  });

  it.each(['ca', 'cert', 'key'])('is not taken in tls.%s, which is a path', (name) => {
    const pem = '-----BEGIN PRIVATE KEY-----';
    const both = { ca: {}, cert: { key: 'a' }, key: { cert: 'a' } }[name];
    const file = read(check(`tls: ${JSON.stringify({ [name]: pem, ...both })}`));
    expect(file.diagnostics.map(({ message }) => message)).toEqual([
      `${name} is the path of a PEM file, not what is in it`,
    ]);
  });
});

/** Each place above, and some that no secret is looked for in, but where a worker would open one. */
const OPENED: readonly (readonly [string, readonly string[]])[] = [
  ...PLACES,
  ['body', [`body: ${SECRET}`]],
  ['any header', [`headers: { X-Note: ${SECRET} }`]],
  ['URL of an endpoint', [`post_endpoint: { url: "https://a.example.com/?k=${SECRET}" }`]],
];

describe('a secret that was sealed for the ledger', () => {
  const SEALED = '${sealed:0a0b0c0d:AbC-_9}';

  it.each(OPENED)('is refused in a file, and not repeated: %s', (_, lines) => {
    const quoted = lines.map((line) => line.replaceAll('"', "'").replace(SECRET, `"${SEALED}"`));
    const nested = quoted.map((line) => line.replace(/'([^']*)"([^"]*)"'/, "'$1$2'"));
    const file = read(check(...nested));
    expect(codesAndPlaces(file)).toEqual([expect.stringMatching(/^E511 3:/)]);
    expect(file.checks).toEqual([]);
    expect(JSON.stringify(file.diagnostics)).not.toContain('AbC-_9');
  });

  it.each(['defaults', 'self'])('is refused in %s too', (key) => {
    const post = `post_endpoint: { url: https://a.example.com/, post_json_info: { k: "${SEALED}" } }`;
    expect(codes(read(`${key}:\n  ${post}\n`))).toContain('E511');
  });
});

describe('a folder whose secrets cannot be sealed', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(path.join(tmpdir(), 'watcher-secrets-'));
  });
  afterEach(() => rm(dir, { recursive: true }));
  const put = (name: string, bearer: string, more = '') => {
    const lines = ['cron_schedule: "* * * * *"', `auth: { bearer: "${bearer}" }`];
    const text = `${name}.example.com/:\n  ${lines.join('\n  ')}\n${more}`;
    return writeFile(path.join(dir, `${name}.yml`), text);
  };

  it.each([
    ['without threads', undefined],
    ['by threads', 0],
  ])(
    'keeps the last good version of a file, and all of the others, read %s',
    async (_, inlineBytes) => {
      const options = inlineBytes === undefined ? {} : { inlineBytes };
      const loader = new FolderLoader(dir, { inlineSecrets: 'refuse', ...options });
      await put('a', '${env:A}');
      await put('b', '${env:B}');
      await put('c', SECRET);
      const keys = async () => (await loader.load()).definitions.map(({ key }) => key);
      expect(await keys()).toEqual(['a.example.com/', 'b.example.com/']);
      await put('a', SECRET, 'new.example.com/:\n  cron_schedule: "* * * * *"\n');
      expect(await keys()).toEqual(['a.example.com/', 'b.example.com/']);
      const { diagnostics, definitions: found } = await loader.load();
      expect(diagnostics.map(({ code, file, line }) => [code, path.basename(file), line])).toEqual([
        ['E514', 'a.yml', 3],
        ['E514', 'c.yml', 3],
      ]);
      expect(JSON.stringify([diagnostics, found])).not.toContain(SECRET);
    },
  );

  it('is none of the business of a process that keeps them to itself', async () => {
    await put('c', SECRET);
    const { definitions: found } = await new FolderLoader(dir).load();
    expect(found.map(({ key }) => key)).toEqual(['c.example.com/']);
  });
});
