/**
 * Two workers in two networks: the first has no road to one endpoint, the second has; to another one
 * neither has. The first is alone to begin with, so that it holds everything.
 */

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { startCommand } from '../support/cli.ts';
import { startEtcd } from '../support/etcd.ts';
import { freePort } from '../support/free-ports.ts';
import { isInsideNamespace } from '../support/network-namespace.ts';
import { type RunningProcess, startProcess } from '../support/processes.ts';
import { layWire, SILENT, serveTargets } from './road-targets.ts';
import type { Proof, Row, Size } from './row.ts';

const SIZES = {
  full: { intervalS: 60, alone: 2, together: 15 },
  small: { intervalS: 5, alone: 2, together: 3 },
} as const satisfies Record<Size, object>;

/** Behind the second worker's network only. */
const FAR = '10.98.0.1';
/** On every worker's own loopback device. */
const NEAR = ['near-1.test', 'near-2.test', 'near-3.test', 'near-4.test', 'near-5.test'];
const WALLED_WORKER = path.join(import.meta.dirname, 'walled-worker.ts');

interface Line {
  readonly check: string;
  readonly tick: string;
  readonly start: string;
  readonly status: string;
  readonly worker: string;
}

export const unreachableEndpoint: Row = {
  name: 'unreachable-endpoint',
  title:
    'A worker without a route to a target passes it to one that has; a target that is down is reported and stays',
  covers: ['src/worker', 'src/shared/coordination', 'src/shared/rules/offering.ts'],
  prove: async (size): Promise<Proof | null> => {
    if (!isInsideNamespace()) return null;
    await using scene = await openScene(size);
    if (scene === null) return null;
    const { intervalS, alone, together } = SIZES[size];
    await using first = scene.walledWorker();
    await until(() => ticksOf(scene.lines, 'far.test').length >= alone);
    await using second = scene.worker();
    const joinedAt = Date.now();
    await until(() => of(scene.lines, 'far.test').at(-1)?.status === 'ok');
    await sleep(together * intervalS * 1000);
    await Promise.all([first.stop(), second.stop()]);
    return proofOf(scene.lines, joinedAt, intervalS);
  },
};

function proofOf(lines: readonly Line[], joinedAt: number, intervalS: number): Proof {
  const own = new Set(NEAR.flatMap((host) => workersOf(lines, host)));
  const far = of(lines, 'far.test');
  const silent = of(lines, 'silent.test');
  const passed = far.filter(({ worker, status }) => !own.has(worker) && status === 'ok');
  const down = silent.filter(({ status }) => status === 'critical');
  const hosts = [...NEAR, 'far.test', 'silent.test'];
  const gaps = hosts.map((host) => gapsOf(ticksOf(lines, host), intervalS));
  const counts = {
    far_unknown_before: far.filter(({ status }) => status === 'unknown').length,
    far_ok_after: passed.length,
    far_passed_on_after_ms: Date.parse(passed[0]?.start ?? '') - joinedAt,
    near_moved: own.size - 1,
    down_critical: down.length,
    /** Of the first two. */
    down_critical_at_once: silent.slice(0, 2).filter(({ status }) => status === 'critical').length,
    down_moves: silent.filter(({ worker }, i) => i > 0 && worker !== silent[i - 1]?.worker).length,
    missed: gaps.reduce((sum, { missed }) => sum + missed, 0),
    doubled: gaps.reduce((sum, { doubled }) => sum + doubled, 0),
  };
  const holds =
    counts.far_unknown_before > 0 &&
    counts.far_ok_after > 0 &&
    far.at(-1)?.status === 'ok' &&
    counts.near_moved === 0 &&
    counts.down_critical === silent.length &&
    counts.down_critical_at_once > 0 &&
    counts.down_moves === 1 &&
    counts.missed === 0 &&
    counts.doubled === 0;
  return { counts, holds };
}

/** etcd, an admin with its folder, and the targets of this side of the wall. */
async function openScene(size: Size) {
  await using resources = new AsyncDisposableStack();
  const etcd = await startEtcd();
  if (etcd === null) return null;
  resources.use(etcd);
  const { path: folder } = resources.use(await mkdtempDisposable(path.join(tmpdir(), 'road-')));
  const port = await freePort();
  execFileSync('ip', ['address', 'replace', `${FAR}/32`, 'dev', 'lo']);
  layWire();
  for (const address of ['127.0.0.1', FAR]) {
    const server = await serveTargets(port, address);
    resources.defer(() => server.closeAllConnections());
  }
  const [{ endpoint, port: etcdPort }] = etcd.members;
  const socket = path.join(folder, 'etcd.sock');
  const gate = createServer((walled) => {
    const outside = connect(etcdPort, '127.0.0.1');
    pipeline(walled, outside, walled, () => {});
  });
  await once(gate.listen(socket), 'listening');
  resources.defer(() => void gate.close());
  const checks = path.join(folder, 'checks.yml');
  await writeFile(checks, checksText(SIZES[size].intervalS));
  const listen = async () => ['--listen', `127.0.0.1:${await freePort()}`];
  const admin = ['admin', '--config', folder, '--etcd', endpoint, ...(await listen())];
  resources.use(startCommand(admin, { stdout: 'ignore' }));
  const roads = [
    ...NEAR.map((host) => [host, '127.0.0.1']),
    ['far.test', FAR],
    ['silent.test', SILENT],
  ].flatMap(([host, address]) => ['--connect-to', `${host}:80:${address}:${port}`]);
  const args = ['worker', '--etcd', endpoint, ...roads];
  const lines: Line[] = [];
  const reading = (child: RunningProcess): RunningProcess => {
    void readInto(child, lines);
    return child;
  };
  const [mine, theirs] = [await listen(), await listen()];
  const inside = ['unshare', '--net', process.execPath, WALLED_WORKER, socket];
  const owned = resources.move();
  return {
    lines,
    worker: () => reading(startCommand([...args, ...mine])),
    walledWorker: () =>
      reading(startProcess([...inside, `${etcdPort}`, `${port}`, ...args, ...theirs])),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const checksText = (intervalS: number): string =>
  [...NEAR, 'far.test', 'silent.test']
    .map((host) => {
      const cron = intervalS === 60 ? '* * * * *' : `*/${intervalS} * * * * *`;
      return `${host}/:\n  cron_schedule: "${cron}"\n  scheme: http\n  timeout: 4s\n`;
    })
    .join('\n');

async function readInto(child: RunningProcess, lines: Line[]): Promise<void> {
  for await (const line of child.lines) {
    const result = JSON.parse(line) as Line & { readonly unscheduled?: true };
    if (result.unscheduled !== true) lines.push(result);
  }
}

/** Looks ten times a second; what is not so in time fails the proof. */
async function until(isSo: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 180_000; !isSo() && Date.now() < deadline; ) await sleep(100);
}

const of = (lines: readonly Line[], host: string): readonly Line[] =>
  lines
    .filter(({ check }) => check === `${host}/`)
    .toSorted((a, b) => Date.parse(a.start) - Date.parse(b.start));
const ticksOf = (lines: readonly Line[], host: string): readonly number[] =>
  of(lines, host).map(({ tick }) => Date.parse(tick));
const workersOf = (lines: readonly Line[], host: string): readonly string[] => [
  ...new Set(of(lines, host).map(({ worker }) => worker)),
];

/** Between the first tick and the last. */
function gapsOf(ticks: readonly number[], intervalS: number) {
  const distinct = new Set(ticks);
  const [from, to] = [Math.min(...ticks), Math.max(...ticks)];
  const due = ticks.length === 0 ? 0 : Math.round((to - from) / (intervalS * 1000)) + 1;
  return { missed: due - distinct.size, doubled: ticks.length - distinct.size };
}
