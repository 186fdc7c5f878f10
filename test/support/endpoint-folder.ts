/** Folders of check files of any size, for benchmarks, faults and tests with whole processes. */

import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

export interface EndpointOptions {
  /** `host:port` of the n-th endpoint; the path is made distinct. */
  readonly originOf: (index: number) => string;
  readonly cron?: string;
  readonly connection?: 'fresh' | 'reuse';
  readonly timeout?: string;
  /** PEM file: makes the checks HTTPS. */
  readonly ca?: string;
  /** Cron without quotes, as people write it: YAML refuses that, and watcher repairs it. */
  readonly broken?: boolean;
}

export interface FolderOptions extends EndpointOptions {
  readonly folder: string;
  readonly endpoints: number;
  readonly files: number;
}

/** Endpoints are numbered from 0 and lie in the files in that order. */
export async function writeEndpointFolder(options: FolderOptions): Promise<void> {
  const { folder, endpoints, files } = options;
  await mkdir(folder, { recursive: true });
  const perFile = Math.ceil(endpoints / files);
  for (let file = 0; file * perFile < endpoints; file += 1) {
    const first = file * perFile;
    const count = Math.min(perFile, endpoints - first);
    const text = Array.from({ length: count }, (_, n) => endpointText(first + n, options)).join(
      '\n',
    );
    await writeFile(path.join(folder, `checks-${String(file).padStart(4, '0')}.yml`), text);
  }
}

/** One endpoint of a check file: about 200 bytes. */
function endpointText(index: number, options: EndpointOptions): string {
  const { originOf, cron = '* * * * *', connection, timeout, ca, broken = false } = options;
  return [
    `${originOf(index)}/health?n=${index}:`,
    `  cron_schedule: ${broken ? cron : `"${cron}"`}`,
    `  scheme: ${ca === undefined ? 'http' : 'https'}`,
    '  response_json_values:',
    '    - status',
    '    - version',
    '  success_test:',
    '    key: status',
    '    value: ok',
    ...(connection === undefined ? [] : [`  connection: ${connection}`]),
    ...(timeout === undefined ? [] : [`  timeout: ${timeout}`]),
    ...(ca === undefined ? [] : ['  tls:', `    ca: ${ca}`]),
    '',
  ].join('\n');
}
