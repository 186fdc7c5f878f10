/** deploy/local/pool.sh as a user runs it: a whole pool from nothing, and nothing left of it. */

import { cp, mkdir, mkdtempDisposable, readdir, readFile, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { watcher } from '../support/cli.ts';
import { programOf } from '../support/debian-packages.ts';
import { freePorts } from '../support/free-ports.ts';
import { outputOf, type RunningProcess, startProcess } from '../support/processes.ts';

const SCRIPT = path.resolve(import.meta.dirname, '../../deploy/local/pool.sh');
const PORTS = 14;
const WHOLE_POOL_MS = 120_000;
const PATIENTLY = { timeout: 60_000, interval: 200 };

/** Processes with a path below that folder on their command line, besides those that look. */
async function processesOf(home: string): Promise<string[]> {
  const all = await outputOf(['ps', '-A', '-o', 'args=']);
  return all.split('\n').filter((args) => args.includes(`${home}/`));
}

async function resultsOf(home: string, name: string): Promise<{ check: string; status: string }[]> {
  const text = await readFile(path.join(home, `logs/${name}.out`), 'utf8');
  const lines = text.split('\n').filter((line) => line.endsWith('}'));
  return lines.map((line) => JSON.parse(line));
}

/** Its stdout so far. */
function outputIn(child: RunningProcess): () => string {
  const lines: string[] = [];
  void (async () => {
    for await (const line of child.lines) lines.push(line);
  })();
  return () => lines.join('\n');
}

describe('deploy/local/pool.sh', () => {
  it('starts a pool whose checks outlive a killed worker, and stops all of it', {
    timeout: WHOLE_POOL_MS,
  }, async ({ skip }) => {
    skip((await programOf('etcd')) === null, 'etcd cannot be had');
    await using folder = await mkdtempDisposable(path.join(tmpdir(), 'pool-script-'));
    const home = path.join(folder.path, 'home');
    const ports = await freePorts(PORTS);
    const options = ['--home', home, '--ports', String(ports)];
    await using script = startProcess([SCRIPT, ...options]);
    const output = outputIn(script);
    await expect.poll(output, PATIENTLY).toContain('every check has an owner');
    try {
      const owner = await ownerIn(ports);
      const others = ['worker-1', 'worker-2', 'worker-3'].filter((name) => name !== owner);
      await outputOf(['sh', '-c', `kill -9 $(cat ${home}/pids/${owner})`]);
      await expect.poll(output, PATIENTLY).toContain(`${owner} has ended`);
      await expect
        .poll(async () => {
          const results = await Promise.all(others.map((name) => resultsOf(home, name)));
          return new Set(results.flat().map(({ check }) => check)).size;
        }, PATIENTLY)
        .toBe(5);
      expect(await outputOf([SCRIPT, ...options])).toContain('a pool runs already');
      // What a script that was killed leaves behind, the next one finds.
      await script.stop('SIGKILL');
      expect(await processesOf(home)).toHaveLength(7);
    } finally {
      expect(await outputOf([SCRIPT, 'stop', ...options])).toContain('Nothing runs');
    }
    expect(await processesOf(home)).toEqual([]);
  });

  it('is stopped by Ctrl-C at any moment', { timeout: WHOLE_POOL_MS }, async ({ skip }) => {
    skip((await programOf('etcd')) === null, 'etcd cannot be had');
    await using folder = await mkdtempDisposable(path.join(tmpdir(), 'pool-script-'));
    const options = ['--home', folder.path, '--ports', String(await freePorts(PORTS))];
    await using script = startProcess([SCRIPT, ...options]);
    const output = outputIn(script);
    await expect.poll(() => processesOf(folder.path), PATIENTLY).toHaveLength(3);
    process.kill(script.pid, 'SIGINT');
    expect(await script.exited).toEqual({ code: 0, signal: null });
    expect(output()).toContain('nothing runs any more');
    expect(await processesOf(folder.path)).toEqual([]);
    expect(await readdir(path.join(folder.path, 'pids'))).toEqual([]);
  });

  it('says how to get etcd where there is none', async () => {
    await using folder = await mkdtempDisposable(path.join(tmpdir(), 'pool-script-'));
    const [local, bin] = ['deploy/local', 'node_modules/.bin'].map((name) =>
      path.join(folder.path, name),
    ) as [string, string];
    await mkdir(local, { recursive: true });
    await mkdir(bin, { recursive: true });
    await cp(SCRIPT, path.join(local, 'pool.sh'));
    await symlink(process.execPath, path.join(bin, 'node'));
    // Everything that the script needs but for etcd.
    const tools = path.join(folder.path, 'tools');
    await mkdir(tools);
    for (const name of ['bash', 'cat', 'dirname', 'grep', 'ps', 'realpath'])
      await symlink(await outputOf(['sh', '-c', `command -v ${name}`]), path.join(tools, name));
    await using script = startProcess(['bash', path.join(local, 'pool.sh')], {
      env: { PATH: tools },
    });
    expect(await script.exited).toEqual({ code: 1, signal: null });
    expect(script.stderr()).toMatch(/etcd is not on the PATH.*apt-get install etcd-server/);
  });

  it.each([
    [['--prots', '1'], /what is '--prots'/],
    [['--home'], /--home needs a value/],
    [['--ports', '70000'], /not a port/],
    [['--config', '/nowhere/at/all'], /no folder \/nowhere\/at\/all/],
  ])('refuses %j', async (args, message) => {
    await using script = startProcess([SCRIPT, ...args]);
    expect(await script.exited).toEqual({ code: 1, signal: null });
    expect(script.stderr()).toMatch(message);
  });

  it('explains itself', async () => {
    expect(await outputOf([SCRIPT, '--help'])).toMatch(/start .*stop .*--config DIR/s);
  });
});

/** Name of the worker that holds what there is, by the ports that the script gives out. */
/** A worker says how many it owns with its next heartbeat. */
async function ownerIn(ports: number): Promise<string> {
  const at = ['--json', '--address', `127.0.0.1:${ports + 9}`];
  const listens = async (): Promise<string | undefined> => {
    const { stdout } = await watcher(['workers', ...at]);
    const { workers } = JSON.parse(stdout) as { workers: { listen: string; owned: number }[] };
    return workers.find(({ owned }) => owned > 0)?.listen;
  };
  let listen: string | undefined;
  await expect
    .poll(async () => {
      listen = await listens();
      return listen;
    }, PATIENTLY)
    .toBeDefined();
  return `worker-${Number(listen?.split(':')[1]) - ports - 10}`;
}
