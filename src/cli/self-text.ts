/** A self report for people: what is wrong first, then one line a subject. */

import { styleText } from 'node:util';
import type { Quantiles, SelfReport, SinkView, SpoolView } from '../shared/domain/status.ts';
import { inert } from '../shared/runtime/inert.ts';
import { duration, megabytes, plural } from './text.ts';

export const selfText = (report: SelfReport, stream: NodeJS.WritableStream): string => {
  const good = report.status === 'ok';
  const head = styleText([good ? 'green' : 'red', 'bold'], report.status, { stream });
  const findings = report.findings.map(({ code, message }) => `  ${code}: ${inert(message)}`);
  const subjects = subjectsOf(report).map(([name, text]) => `${name.padEnd(12)}${inert(text)}`);
  return `${[`watcher is ${head}`, ...findings, '', ...subjects].join('\n')}\n`;
};

const subjectsOf = (report: SelfReport): readonly (readonly [name: string, text: string])[] => {
  const { process, checks, results, runs, eventLoop, config } = report;
  const busy = `${Math.round(eventLoop.utilisation * 100)} %`;
  return [
    ['process', `${process.worker}, pid ${process.pid}, up ${duration(process.uptimeMs)}`],
    ['version', `${process.version} on Node ${process.node.replace(/^v/, '')}`],
    ['memory', megabytes(process.rssBytes)],
    ['checks', `${checks.held} held`],
    ['ticks', ticksOf(checks)],
    ['results', counts(results)],
    ...report.sinks.map((sink) => ['sink', sinkOf(sink)] as const),
    ...(report.spool ? [['spool', spoolOf(report.spool)] as const] : []),
    ['lateness', quantiles(report.lateness)],
    ['duration', quantiles(report.duration)],
    ['runs', `${runs.inFlight} of ${runs.concurrency} places in use, ${runs.waiting} waiting`],
    ['event loop', `${busy} busy, ${duration(eventLoop.delayP99Ms)} late (p99)`],
    ['config', configOf(config)],
    ['heartbeat', `${duration(report.heartbeatAgeMs)} ago`],
    ['pool', poolOf(report.pool)],
  ];
};

const ticksOf = ({ scheduled, run, skipped, pending, late }: SelfReport['checks']): string => {
  const all = Object.values(skipped).reduce((sum, count) => sum + count, 0);
  const why = all === 0 ? '' : ` (${counts(skipped)})`;
  return `${scheduled} scheduled = ${run} run + ${all} skipped${why} + ${pending} pending; ${late} late`;
};

const sinkOf = ({ sink, produced, delivered, pending, dropped, failing }: SinkView): string => {
  const all = Object.values(dropped).reduce((sum, count) => sum + count, 0);
  const why = all === 0 ? '' : ` (${counts(dropped)})`;
  const state = failing === null ? '' : `; failing: ${failing}`;
  return `${sink}: ${produced} produced = ${delivered} delivered + ${pending} pending + ${all} dropped${why}${state}`;
};

const spoolOf = ({ folder, diskBytes, memoryBytes, problem }: SpoolView): string => {
  const where = folder === null ? 'no state folder' : `${folder} ${megabytes(diskBytes)}`;
  return `${where}, memory ${megabytes(memoryBytes)}${problem === null ? '' : `; ${problem}`}`;
};

const configOf = ({ files, errors, warnings }: SelfReport['config']): string =>
  [plural(files, 'file'), plural(errors, 'error'), plural(warnings, 'warning')].join(', ');

const poolOf = ({ attached, leading }: SelfReport['pool']): string =>
  [
    ...(attached === null ? [] : [attached ? 'attached' : 'detached']),
    ...(leading === null ? [] : [leading ? 'leads' : 'stands by']),
  ].join(', ');

/** Those that are not zero. */
const counts = (numbers: Readonly<Record<string, number>>): string =>
  Object.entries(numbers)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ') || 'none yet';

/** From histograms, so each is an upper bound. */
const quantiles = (values: Quantiles | null): string =>
  values === null
    ? 'no run yet'
    : `p50 ≤ ${duration(values.p50)}, p95 ≤ ${duration(values.p95)}, p99 ≤ ${duration(values.p99)}`;
