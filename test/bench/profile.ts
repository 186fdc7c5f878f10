/**
 * Where the pipeline's CPU goes: `node test/bench/profile.ts [fresh|reuse] [SECONDS]` runs the
 * saturated pipeline under the sampling profiler, and prints self time by function and by file.
 */

import { mkdtempDisposable, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startNginx } from '../support/nginx.ts';
import { COMMAND_FLAGS } from '../support/watcher-process.ts';
import { inChild, type Window } from './measured-window.ts';
import type { TargetLoad } from './target-load.ts';

interface ProfileNode {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    readonly lineNumber: number;
  };
}

interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  /** Microseconds between samples. */
  readonly timeDeltas: readonly number[];
  readonly startTime: number;
  readonly endTime: number;
}

const SHOWN = 40;
const [connection = 'fresh', seconds = '5'] = process.argv.slice(2);

await using target = await startNginx();
if (target === null) process.exit(1);
await using folder = await mkdtempDisposable(path.join(tmpdir(), 'profile-'));
const load: TargetLoad = {
  port: target.port,
  certificate: '',
  connection: connection === 'reuse' ? 'reuse' : 'fresh',
  origins: 1,
  pace: { kind: 'saturated', inFlight: 64 },
  span: { warmUpMs: 1_000, measureMs: Number(seconds) * 1_000 },
};
const flags = [...COMMAND_FLAGS, '--cpu-prof', `--cpu-prof-dir=${folder.path}`];
console.log(await inChild<Window>('pipeline.ts', load, flags));
const [file = ''] = await readdir(folder.path);
const profile = JSON.parse(await readFile(path.join(folder.path, file), 'utf8')) as Profile;
print(
  'by function',
  selfTimes(
    profile,
    ({ callFrame: { functionName, url, lineNumber } }) =>
      `${functionName || '(anonymous)'} ${shortened(url)}:${lineNumber + 1}`,
  ),
);
print(
  'by file',
  selfTimes(profile, ({ callFrame: { functionName, url } }) =>
    url === '' ? functionName : shortened(url),
  ),
);

/** Of the measured stretch, which ends the run: start and warm-up are not in it. */
function selfTimes(
  { nodes, samples, timeDeltas, startTime, endTime }: Profile,
  nameOf: (node: ProfileNode) => string,
) {
  const names = new Map(nodes.map((node) => [node.id, nameOf(node)]));
  const times = new Map<string, number>();
  const from = endTime - load.span.measureMs * 1_000;
  let at = startTime;
  samples.forEach((id, index) => {
    const delta = timeDeltas[index] ?? 0;
    const name = names.get(id) ?? '?';
    at += delta;
    if (at >= from) times.set(name, (times.get(name) ?? 0) + delta);
  });
  return [...times].toSorted(([, a], [, b]) => b - a);
}

function print(title: string, times: readonly (readonly [string, number])[]): void {
  const total = times.reduce((sum, [, time]) => sum + time, 0);
  console.log(`\n${title}`);
  for (const [name, time] of times.slice(0, SHOWN)) {
    console.log(`${((100 * time) / total).toFixed(1).padStart(5)} %  ${name}`);
  }
}

function shortened(url: string): string {
  return url
    .replace(/^file:\/\//, '')
    .replace(`${path.resolve(import.meta.dirname, '../..')}/`, '');
}
