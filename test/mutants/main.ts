/**
 * `node test/mutants/main.ts [NAME…]`: takes each guard of the pool away, one at a time, and runs what
 * should notice it. A mutant is a patch in this folder; the lines before its first `---` name what it
 * takes away and its catchers, tried in this order until one fails:
 *
 *   guard: what is taken away
 *   catcher: simulation [KINDS]      the simulation, from seed 1, with these kinds of faults or all
 *   catcher: FILE [-t NAME]          tests of one file
 *
 * One JSON line a mutant on stdout. The exit code is 1 when one survives, or a patch does not apply.
 */

import { spawn, spawnSync } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const FOLDER = import.meta.dirname;
const TREE = join(FOLDER, '../..');
const COPIED = ['src', 'test', 'configs', 'package.json', 'tsconfig.json', 'vitest.config.ts'];
/** At most so many schedules of the simulation are tried. */
const SCHEDULES = '200';
/** A mutant that hangs is noticed, too. */
const SIMULATION_MS = 600_000;
const TESTS_MS = 120_000;

interface Mutant {
  readonly name: string;
  readonly guard: string;
  readonly catchers: readonly string[];
}

interface Catch {
  readonly caught: boolean;
  readonly by: string | null;
  /** Of the simulation, until it was caught. */
  readonly schedules: number | null;
}

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
const sound = await copy('sound-');
const outcomes: Catch[] = [];
for (const mutant of await mutants(process.argv.slice(2))) {
  const outcome = await prove(mutant);
  outcomes.push(outcome);
  console.log(JSON.stringify({ mutant: mutant.name, ...outcome }));
}
await rm(sound, { recursive: true });
const survived = outcomes.filter(({ caught }) => !caught).length;
console.log(JSON.stringify({ mutants: outcomes.length, survived }));
process.exit(survived === 0 ? 0 : 1);

async function mutants(wanted: readonly string[]): Promise<Mutant[]> {
  const files = (await readdir(FOLDER)).filter((file) => file.endsWith('.patch')).sort();
  const all = await Promise.all(files.map(readMutant));
  const unknown = wanted.filter((name) => !all.some((mutant) => mutant.name === name));
  if (unknown.length > 0) throw new Error(`no such mutant: ${unknown.join(', ')}`);
  return wanted.length === 0 ? all : all.filter(({ name }) => wanted.includes(name));
}

async function readMutant(file: string): Promise<Mutant> {
  const text = await readFile(join(FOLDER, file), 'utf8');
  const head = text.slice(0, text.indexOf('--- ')).split('\n');
  const all = (key: string) =>
    head.filter((line) => line.startsWith(key)).map((line) => line.slice(key.length).trim());
  return {
    name: file.replace(/\.patch$/, ''),
    guard: all('guard:').join(' '),
    catchers: all('catcher:'),
  };
}

async function prove({ name, catchers }: Mutant): Promise<Catch> {
  const tree = await copy(`mutant-${name}-`);
  try {
    apply(name, tree);
    for (const catcher of catchers) {
      const outcome = await tried(tree, catcher);
      if (!outcome.caught) continue;
      // What fails anyway has noticed nothing.
      const anyway = await tried(sound, catcher, outcome.schedules);
      if (!anyway.caught) return outcome;
      console.error(`${name}: ${catcher} fails without it too (${outcome.schedules ?? 'a test'})`);
    }
    return { caught: false, by: null, schedules: null };
  } finally {
    await rm(tree, { recursive: true });
  }
}

async function copy(prefix: string): Promise<string> {
  const tree = await mkdtemp(join(tmpdir(), prefix));
  for (const part of COPIED) await cp(join(TREE, part), join(tree, part), { recursive: true });
  await symlink(join(TREE, 'node_modules'), join(tree, 'node_modules'));
  return tree;
}

/** `seed`: of the one schedule to live; all without it. */
function tried(tree: string, catcher: string, seed: number | null = null): Promise<Catch> {
  const [what = '', ...kinds] = catcher.split(' ');
  return what === 'simulation' ? simulated(tree, kinds, seed) : tested(tree, catcher);
}

function apply(name: string, tree: string): void {
  const file = join(FOLDER, `${name}.patch`);
  const { status, stderr } = spawnSync('git', ['apply', file], { cwd: tree, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${name} does not apply any more:\n${stderr}`);
}

async function simulated(
  tree: string,
  kinds: readonly string[],
  seed: number | null,
): Promise<Catch> {
  const chosen = kinds.length === 0 ? [] : ['--kinds', kinds.join(',')];
  const seeds = seed === null ? ['1', SCHEDULES] : [String(seed), '1'];
  const [from = '', count = ''] = seeds;
  const parameters = ['--first', '--threads', '1', '--from', from, '--schedules', count, ...chosen];
  const { code, output } = await run(
    tree,
    ['test/simulation/main.ts', ...parameters],
    SIMULATION_MS,
  );
  const found = /^seed (\d+)/m.exec(output)?.[1];
  // Without a seed it was stopped: a mutant that hangs is noticed, but by no rule.
  const by = found === undefined && code !== 0 ? 'simulation (did not end)' : 'simulation';
  return { caught: code !== 0, by, schedules: found === undefined ? null : Number(found) };
}

async function tested(tree: string, catcher: string): Promise<Catch> {
  const [file = '', ...rest] = catcher.split(' -t ');
  const name = rest.length === 0 ? [] : ['-t', rest.join(' -t ')];
  const vitest = join(tree, 'node_modules/vitest/vitest.mjs');
  const { code } = await run(tree, [vitest, 'run', file, ...name], TESTS_MS);
  return { caught: code !== 0, by: file, schedules: null };
}

/** In a process group of its own: what it has started ends with it, also when it hangs. */
function run(
  cwd: string,
  parameters: readonly string[],
  limitMs: number,
): Promise<{ readonly code: number; readonly output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, parameters, { cwd, detached: true });
    const end = () => endGroup(child.pid);
    const timer = setTimeout(end, limitMs);
    process.on('exit', end);
    let output = '';
    child.stdout.on('data', (data) => {
      output += data;
    });
    child.stderr.resume();
    child.on('error', reject);
    // What is left of it would hold its output open.
    child.on('exit', () => {
      clearTimeout(timer);
      process.off('exit', end);
      end();
    });
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

function endGroup(leader: number | undefined): void {
  if (leader === undefined) return;
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // All of them have ended.
  }
}
