/**
 * Every figure that watcher promises, with its bound, in one run: a table, and all samples in
 * bench-results.json. `npm run bench -- [a b c d e f g] [--rounds N] [--quick]`; `--json` prints the
 * samples too, `--keep` puts the table into docs/performance.md, `--assert` ends with 1 on a miss.
 *
 * It runs in a network of its own where that is allowed: 100,000 connections a minute leave their
 * traces in the kernel, and loopback's own rules would hide what a real network shows.
 */

import { writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, release } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { setup } from '../support/fetch-programs.ts';
import { enterNamespace, raiseNetwork } from '../support/network-namespace.ts';
import { againstBlackbox } from './against-blackbox.ts';
import { cpuRatio } from './cpu-ratio.ts';
import { type Figure, outcomeOf, tableOf } from './figure.ts';
import { folders } from './folders.ts';
import { heldMemory } from './held-memory.ts';
import { keep } from './keep.ts';
import { lateness } from './lateness.ts';
import type { Part } from './part.ts';
import { sinkPath } from './sink-path.ts';
import { startUp } from './start-up.ts';
import { median } from './statistics.ts';

const PARTS = {
  a: cpuRatio,
  b: againstBlackbox,
  c: lateness,
  d: heldMemory,
  e: folders,
  f: startUp,
  g: sinkPath,
} as const satisfies Record<string, Part>;

const RESULTS = path.resolve(import.meta.dirname, '../../bench-results.json');

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    assert: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});
// A namespace has no network to fetch anything from.
await setup();
const isPrivate = await enterNamespace();
if (isPrivate) raiseNetwork();
else console.warn('no namespace of our own here: the figures are those of the machine’s loopback');

const figures = await measured(positionals.length > 0 ? positionals : Object.keys(PARTS));
const report = { machine: machine(), figures: figures.map(withOutcome) };
await writeFile(RESULTS, `${JSON.stringify(report, null, 2)}\n`);
console.log(flags.json ? JSON.stringify(report, null, 2) : `\n${tableOf(figures)}`);
if (flags.keep) await keep(figures, machineText());
const misses = figures.filter((figure) => outcomeOf(figure) === 'miss').length;
process.exit(flags.assert && misses > 0 ? 1 : 0);

async function measured(names: readonly string[]): Promise<readonly Figure[]> {
  const all: Figure[] = [];
  const options = { quick: flags.quick, rounds: flags.quick ? 1 : Number(flags.rounds) };
  for (const name of names) {
    for await (const figure of partOf(name)(options)) {
      all.push(figure);
      console.error(`${name}: ${figure.what}: ${median(figure.samples)} ${figure.unit}`);
    }
  }
  return all;
}

function partOf(name: string): Part {
  if (name in PARTS) return PARTS[name as keyof typeof PARTS];
  throw new Error(`there is no part ${name}, only ${Object.keys(PARTS).join(' ')}`);
}

function withOutcome(figure: Figure) {
  return { ...figure, median: median(figure.samples), outcome: outcomeOf(figure) };
}

function machine() {
  const cores = availableParallelism();
  const cpu = cpus()[0]?.model ?? 'unknown processor';
  return { cores, cpu, kernel: release(), node: process.version, private: isPrivate };
}

function machineText(): string {
  const { cores, cpu, kernel, node } = machine();
  return `${cores} cores of ${cpu}, Linux ${kernel}, Node ${node}`;
}
