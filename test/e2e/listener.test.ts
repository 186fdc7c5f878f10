import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificate } from '../support/certificates.ts';
import { startCommand, watcher } from '../support/cli.ts';
import type { RunningProcess } from '../support/processes.ts';

const TOKEN = 'a token of some length';
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'listener-'));
  const { cert, key } = makeCertificate();
  await writeFile(path.join(dir, 'cert.pem'), cert);
  await writeFile(path.join(dir, 'key.pem'), key);
  await writeFile(path.join(dir, 'token'), `${TOKEN}\n`);
});
afterAll(() => rm(dir, { recursive: true }));

/** What it says when it is up. */
const addressOf = async (child: RunningProcess): Promise<string> => {
  await expect.poll(() => child.stderr(), { timeout: 10_000 }).toContain('answers at');
  return /answers at \w+:\/\/0\.0\.0\.0:(\d+)/.exec(child.stderr())?.[1] ?? '';
};

const settingsOf = async (name: string, text: string): Promise<string> => {
  const file = path.join(dir, `${name}.yml`);
  await writeFile(file, text);
  return file;
};

const run = (settings: string, env = {}): RunningProcess =>
  startCommand(['run', 'http://127.0.0.1:1/nobody', '--settings', settings], { cwd: dir, env });

const EXPOSED = 'listen: 0.0.0.0:0\n';
const TLS = 'listen_tls: { cert: cert.pem, key: key.pem }\n';

describe('a listener on an address that other machines reach', () => {
  it('answers over TLS those who know the token', async () => {
    const text = `${EXPOSED}${TLS}listen_token: "\${file:${dir}/token}"\nlog_level: debug\n`;
    await using child = run(await settingsOf('all', text));
    const address = `https://localhost:${await addressOf(child)}`;
    const trusting = { NODE_EXTRA_CA_CERTS: path.join(dir, 'cert.pem') };
    const env = { ...trusting, WATCHER_TOKEN: TOKEN, WATCHER_ADDRESS: address };
    for (const command of ['self', 'reload']) {
      expect(await watcher([command], { env })).toMatchObject({ code: 0, stderr: '' });
    }
    const { stdout } = await watcher(['status', '--json'], { env });
    expect(JSON.parse(stdout).checks).toMatchObject([{ check: '127.0.0.1:1/nobody' }]);
    const wrong = await watcher(['self'], { env: { ...env, WATCHER_TOKEN: 'another' } });
    expect(wrong).toMatchObject({ code: 2, stderr: 'watcher: a bearer token is needed\n' });
    const distrustful = await watcher(['self'], { env: { WATCHER_ADDRESS: address } });
    expect(distrustful).toMatchObject({ code: 4, stderr: expect.stringContaining('self-signed') });
    expect(child.stderr()).not.toContain(TOKEN);
  });

  it.each([
    ['TLS and a token', EXPOSED, {}, /listen: 0\.0\.0\.0:0 .* set listen_tls and listen_token,/],
    ['TLS', EXPOSED, { WATCHER_LISTEN_TOKEN: TOKEN }, /set listen_tls,/],
    ['a token', `${EXPOSED}${TLS}`, {}, /set listen_token,/],
    ['a token that says something', `${EXPOSED}${TLS}`, { WATCHER_LISTEN_TOKEN: ' ' }, /empty/],
    [
      'a certificate',
      `${EXPOSED}listen_tls: { cert: token, key: key.pem }`,
      { WATCHER_LISTEN_TOKEN: TOKEN },
      /listen_tls: .*used/,
    ],
    [
      'its file',
      `${EXPOSED}listen_tls: { cert: gone, key: gone }`,
      {},
      /listen_tls.cert: gone .*read/,
    ],
    ['known settings', 'concurency: 5\n', {}, /yml:1:1: error E501 .*did you mean concurrency/],
  ])('is refused without %s', async (name, text, env, message) => {
    await using child = run(await settingsOf(name, text), env);
    expect(await child.exited).toEqual({ code: 2, signal: null });
    expect(child.stderr()).toMatch(message);
  });
});
