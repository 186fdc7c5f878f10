/**
 * An autoscaling group on one machine, for trying out how a pool grows and shrinks: takes the level that
 * the leading admin publishes, as CloudWatch would, and keeps as many workers as that asks for.
 */

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { isoTime, systemClock } from '../../src/shared/runtime/clock.ts';
import { type Happening, type Level, startCloudWatch } from './cloudwatch.ts';
import { type TrackingPolicy, wantedBy } from './target-tracking.ts';
import { WorkerGroup } from './worker-group.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const WATCHER = [process.execPath, '--max-semi-space-size=8', path.join(ROOT, 'src/cli.ts')];
const METRIC = 'watcher.scaling.capacity_utilization';

const USAGE = `Usage: autoscale.sh [OPTION...] -- [OPTION OF 'watcher worker'...]

Plays CloudWatch and an autoscaling group that tracks ${METRIC}.
Starts workers with the options behind --, in which {n} becomes the number of the worker, and stops them
by SIGTERM, so that they hand their checks on. Runs until Ctrl-C, which stops the workers, too.

  --min N           workers at least (default: 1)
  --max N           workers at most (default: 4)
  --target PERCENT  where the level is to be (default: 70)
  --out-after N     levels in a row above the target before workers are started (default: 1; AWS: 3 minutes)
  --in-after N      levels in a row below its nine tenths before any is stopped (default: 3; AWS: 15 minutes)
  --warm-up SECONDS until a new worker shows in the level (default: 30)
  --pool NAME       whose level is followed, scaling.pool of the admin (default: watcher)
  --listen H:P      where CloudWatch and EventBridge answer (default: 127.0.0.1:24780)
  --logs DIR        what workers write (default: .watcher/autoscale)
  --help            this text

The admin needs a sink of kind cloudwatch, as in deploy/local/autoscale.yml, and in its environment
  AWS_ENDPOINT_URL=http://127.0.0.1:24780 AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local
`;

interface Settings {
  readonly policy: TrackingPolicy;
  readonly warmUpMs: number;
  readonly pool: string;
  readonly host: string;
  readonly port: number;
  readonly logs: string;
  readonly workerArgs: readonly string[];
}

const say = (who: string, what: string): void => {
  const at = isoTime(systemClock.now()).slice(11, 19);
  process.stdout.write(`${at} ${who.padEnd(9)} ${what}\n`);
};

async function run(settings: Settings): Promise<void> {
  const { policy, pool, host, port, logs, workerArgs } = settings;
  mkdirSync(logs, { recursive: true });
  const command = [...WATCHER, 'worker', ...workerArgs];
  const ended = signalled();
  await using group = new WorkerGroup({ ...settings, command, say });
  let levels: readonly number[] = [];
  const follow = (workers: number, why: string): void => {
    if (workers === group.wanted) return;
    levels = [];
    say('group', `${workers} wanted instead of ${group.wanted}: ${why}`);
    group.want(workers);
  };
  const onLevel = ({ name, value, dimensions }: Level): void => {
    if (name !== METRIC || dimensions['pool'] !== pool) return;
    levels = [...levels, value].slice(-Math.max(policy.outAfter, policy.inAfter));
    say('level', `${value} %, target ${policy.target} %`);
    follow(wantedBy(policy, levels, group), `the level is ${value} %`);
  };
  await using _double = await startCloudWatch({ host, port, onLevel, onEvent: tell });
  say('group', `CloudWatch answers at http://${host}:${port}; logs of workers: ${logs}`);
  follow(policy.min, 'the least');
  await ended;
  say('group', 'stops');
}

const tell = ({ type, detail }: Happening): void =>
  say('event', `${type}: ${detail['text'] ?? JSON.stringify(detail)}`);

const signalled = (): Promise<unknown> =>
  new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, resolve);
  });

/** Null: only help was asked for. */
function settingsIn(args: readonly string[]): Settings | null {
  const end = args.includes('--') ? args.indexOf('--') : args.length;
  const { values } = parseArgs({
    args: args.slice(0, end),
    options: {
      min: { type: 'string', default: '1' },
      max: { type: 'string', default: '4' },
      target: { type: 'string', default: '70' },
      'out-after': { type: 'string', default: '1' },
      'in-after': { type: 'string', default: '3' },
      'warm-up': { type: 'string', default: '30' },
      pool: { type: 'string', default: 'watcher' },
      listen: { type: 'string', default: '127.0.0.1:24780' },
      logs: { type: 'string', default: '.watcher/autoscale' },
      help: { type: 'boolean', default: false, short: 'h' },
    },
  });
  if (values.help) return null;
  const number = (name: 'min' | 'max' | 'target' | 'out-after' | 'in-after' | 'warm-up'): number =>
    numberIn(`--${name}`, values[name]);
  const policy = {
    ...{ target: number('target'), min: number('min'), max: number('max') },
    ...{ outAfter: number('out-after'), inAfter: number('in-after') },
  };
  if (policy.max < policy.min) throw new Error('--max is less than --min');
  const { host, port } = addressIn(values.listen);
  return {
    ...{ policy, pool: values.pool, host, port, workerArgs: args.slice(end + 1) },
    warmUpMs: number('warm-up') * 1000,
    logs: path.resolve(values.logs),
  };
}

function numberIn(name: string, text: string): number {
  if (!/^[1-9]\d{0,4}$/.test(text))
    throw new Error(`${name} ${text} is not a number from 1 to 99999`);
  return Number(text);
}

function addressIn(text: string): { readonly host: string; readonly port: number } {
  const [, host = '', port = ''] = /^([\w.-]+):(\d{1,5})$/.exec(text) ?? [];
  if (host === '') throw new Error(`--listen ${text} is not HOST:PORT`);
  return { host, port: Number(port) };
}

try {
  const settings = settingsIn(process.argv.slice(2));
  if (settings === null) process.stdout.write(USAGE);
  else await run(settings);
} catch (error) {
  process.stderr.write(`autoscale.sh: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
