import { once } from 'node:events';
import { copyFile, mkdtempDisposable, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { makeCertificate } from '../support/certificates.ts';
import { startCommand, watcher } from '../support/cli.ts';

const FIXTURES = path.resolve(import.meta.dirname, '../fixtures');

interface Line {
  readonly check: string;
  readonly status: string;
  readonly values: Readonly<Record<string, string>>;
  readonly unscheduled?: true;
  readonly certificate_expires?: string;
}

/** Which hosts and paths were asked for. */
const asked: string[] = [];

const double: RequestListener = (request, response) => {
  asked.push(`${request.headers.host}${request.url}`);
  response.end('{"status":"ok","app":"mixsig","version":"1.2"}');
};

const listening = async (server: Server): Promise<number> => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
};

it('runs the original files as they stand, beside a check behind TLS, tick after tick', async () => {
  await using folder = await mkdtempDisposable(path.join(tmpdir(), 'original-'));
  for (const name of ['notes-endpoints.yml', 'notes-self.yml']) {
    await copyFile(path.join(FIXTURES, name), path.join(folder.path, name));
  }
  const validated = await watcher(['validate', folder.path]);
  expect(validated.code).toBe(0);
  expect(validated.stdout).toContain('2 checks, 2 self blocks, 0 errors, 12 warnings');

  const authority = makeCertificate({ isAuthority: true });
  const certificate = makeCertificate({ hosts: ['secure.example.com'], issuer: authority });
  await using certificates = await mkdtempDisposable(path.join(tmpdir(), 'ca-'));
  const ca = path.join(certificates.path, 'ca.pem');
  await writeFile(ca, authority.cert);
  await writeFile(
    path.join(folder.path, 'secure.yml'),
    [
      'secure.example.com/health:',
      '  cron_schedule: "* * * * * *"',
      '  scheme: https',
      '  response_json_values: [status]',
      '  success_test: {key: status, value: ok}',
      `  tls: {ca: ${ca}}`,
    ].join('\n'),
  );
  const [plain, secure] = [createServer(double), createTlsServer(certificate, double)];
  const [port, tlsPort] = [await listening(plain), await listening(secure)];
  await using child = startCommand([
    ...['run', '--config', folder.path, '--listen', '127.0.0.1:0'],
    ...['--connect-to', `www.fabricsounds.com:80:127.0.0.1:${port}`],
    ...['--connect-to', `mixsig.fabricsounds.com:80:127.0.0.1:${port}`],
    ...['--connect-to', `secure.example.com:443:127.0.0.1:${tlsPort}`],
  ]);
  const seen = new Map<string, Line[]>();
  const lines = (check: string) => seen.get(check) ?? [];
  const enough = () =>
    lines('secure.example.com/health').filter(({ unscheduled }) => !unscheduled).length >= 3 &&
    lines('www.fabricsounds.com/health').length > 0 &&
    lines('mixsig.fabricsounds.com/health').length > 0;
  for await (const text of child.lines) {
    const line = JSON.parse(text) as Line;
    seen.set(line.check, [...lines(line.check), line]);
    if (enough()) break;
  }
  const all = [...seen.values()].flat();
  expect(new Set(all.map(({ status }) => status))).toEqual(new Set(['ok']));
  expect(lines('www.fabricsounds.com/health')[0]?.values).toEqual({ status: 'ok' });
  expect(lines('mixsig.fabricsounds.com/health')[0]?.values).toEqual({
    status: 'ok',
    app: 'mixsig',
    version: '1.2',
  });
  expect(lines('secure.example.com/health')[0]?.certificate_expires).toMatch(/^20\d\d-/);
  expect(new Set(asked)).toEqual(
    new Set([
      'www.fabricsounds.com/health',
      'mixsig.fabricsounds.com/health',
      'secure.example.com/health',
    ]),
  );
  plain.close();
  secure.close();
});
