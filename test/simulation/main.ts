/**
 * `node test/simulation/main.ts [--schedules N] [--from SEED] [--minutes M | --hours H] [--kinds A,B]
 * [--without A,B] [--threads N] [--first] [--trace]`: lives many worlds and says how far it is. Each
 * violation is printed with the faults before it and the command that repeats it. `--trace` lives one world here and
 * prints everything that happens in it; `--first` stops at the first violation. The exit code is 1 when anything was violated.
 */

import { parseArgs } from 'node:util';
import { FAULT_KINDS, type FaultKind } from './faults.ts';
import { type Life, live } from './life.ts';
import { replayOf, simulate } from './simulate.ts';

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '1' },
    from: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '20' },
    hours: { type: 'string' },
    kinds: { type: 'string' },
    without: { type: 'string' },
    threads: { type: 'string', default: '2' },
    first: { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
  },
});
const minutes = values.hours === undefined ? Number(values.minutes) : Number(values.hours) * 60;
const seed = Number(values.from);
const kinds = chosen(values.kinds?.split(',') ?? FAULT_KINDS, values.without?.split(',') ?? []);

if (values.trace) {
  const life = await live({ seed, minutes, kinds, tell: (line) => console.log(line) });
  show(life);
  process.exit(life.violations.length === 0 ? 0 : 1);
}
const PROGRESS_MS = 10_000;
let saidAt = performance.now();
let shown = 0;
const enough = new AbortController();
const startedAt = process.cpuUsage();
const outcome = await simulate({
  schedules: Number(values.schedules),
  minutes,
  seed,
  kinds,
  threads: Number(values.threads),
  signal: enough.signal,
  onProgress: ({ schedules, simulatedDays, failed }) => {
    for (const life of failed.slice(shown)) show(life);
    shown = failed.length;
    if (values.first && shown > 0) enough.abort();
    if (performance.now() - saidAt < PROGRESS_MS) return;
    saidAt = performance.now();
    const days = simulatedDays.toFixed(1);
    console.error(`${schedules} schedules, ${days} days, ${failed.length} with violations`);
  },
});
const { user, system } = process.cpuUsage(startedAt);
const { failed, ...figures } = outcome;
const daysPerCpuMinute = outcome.simulatedDays / ((user + system) / 60e6);
console.log(JSON.stringify({ ...figures, failed: failed.length, daysPerCpuMinute }));
process.exit(failed.length === 0 ? 0 : 1);

function chosen(wanted: readonly string[], unwanted: readonly string[]): FaultKind[] {
  const unknown = [...wanted, ...unwanted].filter(
    (kind) => !FAULT_KINDS.includes(kind as FaultKind),
  );
  if (unknown.length > 0)
    throw new Error(`no such fault: ${unknown.join(', ')}; there are ${FAULT_KINDS.join(', ')}`);
  return FAULT_KINDS.filter((kind) => wanted.includes(kind) && !unwanted.includes(kind));
}

function show(life: Life): void {
  if (life.violations.length === 0) return;
  console.log(
    `seed ${life.seed}: ${replayOf(life.seed, minutes, values.kinds ? kinds : undefined)}`,
  );
  for (const { rule, what, at } of life.violations)
    console.log(`  ${at.toFixed(1)} ${rule}: ${what}`);
  const first = life.violations[0]?.at ?? 0;
  const LEADING_MS = 150_000;
  for (const fault of life.faults) {
    if (fault.at > first || fault.at < first - LEADING_MS) continue;
    const { at, kind, forMs, whom, how } = fault;
    const details = `${forMs.toFixed(0)} ms, whom ${whom.toFixed(3)}, how ${how.toFixed(3)}`;
    console.log(`    ${at.toFixed(1)} ${kind} (${details})`);
  }
}
