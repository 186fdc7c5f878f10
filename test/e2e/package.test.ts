import { once } from 'node:events';
import { mkdtempDisposable, readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { outputOf } from '../support/processes.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
/** npm scripts find the project's own Node first; so must the installed command. */
const PATH = `${path.dirname(process.execPath)}:${process.env['PATH']}`;

it('checks a URL three commands after it was packed', { timeout: 120_000 }, async () => {
  await using empty = await mkdtempDisposable(path.join(tmpdir(), 'package-'));
  await writeFile(path.join(empty.path, 'package.json'), '{"private":true}');
  const server = createServer((_, response) => response.end('ok')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const within = { cwd: empty.path, env: { PATH } };
  const quietly = ['--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'];

  // The build is a step of its own; here only what it has made is packed.
  await outputOf(['npm', 'pack', '--ignore-scripts', '--pack-destination', empty.path], {
    cwd: ROOT,
    env: { PATH },
  });
  const [tarball = ''] = (await readdir(empty.path)).filter((name) => name.endsWith('.tgz'));
  await outputOf(['npm', 'install', ...quietly, `./${tarball}`], within);
  const line = await outputOf(['npx', '--no-install', 'watcher', 'once', '--json', url], within);
  server.close();

  expect(JSON.parse(line)).toMatchObject({ status: 'ok', check: url.slice('http://'.length) });
});
