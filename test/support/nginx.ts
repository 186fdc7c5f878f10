/**
 * nginx as a target: one worker, one small JSON answer, on every address of 127.0.0.0/8. It is
 * neither ours nor written in JavaScript, so what it does with connections is what users meet.
 */

import { mkdtempDisposable, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { programOf } from './debian-packages.ts';
import { freePort } from './free-ports.ts';
import { listening, outputOf, startProcess } from './processes.ts';

/** 62 bytes. */
export const HEALTHY = '{"status":"ok","version":"1.22.1","queue":3,"database":"good"}';

export interface NginxOptions {
  /** How long an idle connection is kept, as nginx writes it: `75s`, `1s`, `0`. */
  readonly keepAlive?: string;
  /** TLS 1.3 with a key on P-256, made for this one run. */
  readonly tls?: boolean;
}

export interface Nginx extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  /** PEM of the certificate, for clients that verify; empty without TLS. */
  readonly certificate: string;
}

/** Null where nginx cannot be had. */
export async function startNginx(options: NginxOptions = {}): Promise<Nginx | null> {
  const program = await programOf('nginx');
  if (program === null) return null;
  await using resources = new AsyncDisposableStack();
  const folder = resources.use(await mkdtempDisposable(path.join(tmpdir(), 'nginx-')));
  const port = await freePort();
  const certificate = options.tls === true ? await makeCertificate(folder.path) : '';
  await writeFile(path.join(folder.path, 'nginx.conf'), configurationOf(port, options));
  const command = [program.file, '-p', folder.path, '-c', 'nginx.conf', '-e', 'stderr'];
  const child = resources.use(startProcess(command, { env: program.env, stdout: 'ignore' }));
  await listening(port, child);
  const owned = resources.move();
  return { port, pid: child.pid, certificate, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/**
 * One process, no master: one worker is what the benchmarks ask for. All paths are inside the
 * folder, so it needs no rights; as root it would change its user, which a user namespace refuses.
 */
const configurationOf = (
  port: number,
  { keepAlive = '75s', tls = false }: NginxOptions,
): string => `
daemon off;
master_process off;
${process.getuid?.() === 0 ? 'user root;' : ''}
pid nginx.pid;
worker_rlimit_nofile 65536;
events { worker_connections 32768; }
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  keepalive_timeout ${keepAlive};
  keepalive_requests 1000000000;
  server {
    listen 0.0.0.0:${port} backlog=65535 ${tls ? 'ssl' : ''};
    ${tls ? 'ssl_certificate cert.pem; ssl_certificate_key key.pem; ssl_protocols TLSv1.3;' : ''}
    default_type application/json;
    location / { return 200 '${HEALTHY}'; }
  }
}
`;

async function makeCertificate(folder: string): Promise<string> {
  const file = path.join(folder, 'cert.pem');
  await outputOf([
    ...[
      'openssl',
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
    ],
    ...[
      '-days',
      '2',
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost,IP:127.0.0.1',
    ],
    ...['-keyout', path.join(folder, 'key.pem'), '-out', file],
  ]);
  return readFile(file, 'utf8');
}
