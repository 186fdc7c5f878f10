/** Debian's Prometheus blackbox exporter, the measure of what a check costs elsewhere. */

import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { programOf } from './debian-packages.ts';
import { freePort } from './free-ports.ts';
import { listening, startProcess } from './processes.ts';

export interface BlackboxExporter extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  /** Path that makes it check a URL; it opens a fresh connection each time, it knows no other way. */
  probePath(target: string): string;
}

/** It judges the same body as our checks do. The quotes are escaped for YAML. */
const MODULES = String.raw`
modules:
  healthy:
    prober: http
    timeout: 10s
    http:
      method: GET
      preferred_ip_protocol: ip4
      fail_if_body_not_matches_regexp: ['"status"\s*:\s*"ok"']
`;

/** Null where it cannot be had. */
export async function startBlackboxExporter(): Promise<BlackboxExporter | null> {
  const program = await programOf('prometheus-blackbox-exporter');
  if (program === null) return null;
  await using resources = new AsyncDisposableStack();
  const folder = resources.use(await mkdtempDisposable(path.join(tmpdir(), 'blackbox-')));
  const port = await freePort();
  const modules = path.join(folder.path, 'blackbox.yml');
  await writeFile(modules, MODULES);
  const listen = `--web.listen-address=127.0.0.1:${port}`;
  const command = [program.file, `--config.file=${modules}`, listen, '--log.level=error'];
  const child = resources.use(startProcess(command, { env: program.env, stdout: 'ignore' }));
  await listening(port, child);
  const owned = resources.move();
  return {
    port,
    pid: child.pid,
    probePath: (target) => `/probe?module=healthy&target=${encodeURIComponent(target)}`,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
