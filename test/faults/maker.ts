/** The parent's side of a result maker: started, asked, killed. */

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PostSettings } from '../../src/shared/domain/check.ts';
import type { SinkSettings } from '../../src/shared/domain/sink-settings.ts';
import type { SinkView, SpoolView } from '../../src/shared/domain/status.ts';
import { type Exit, startProcess } from '../support/processes.ts';
import { COMMAND_FLAGS } from '../support/watcher-process.ts';
import type { Sequence } from './synthetic.ts';

export interface MakerOptions {
  readonly sequence: Sequence;
  /** Whether the number of each result is told once the pipeline has taken it. */
  readonly confirm: boolean;
  readonly sinks: readonly SinkSettings[];
  readonly posts?: PostSettings;
  readonly stateFolder: string | null;
  readonly connectTo: readonly string[];
}

export interface MakerReport {
  /** Number of its first result, and of the next one. */
  readonly first: number;
  readonly next: number;
  /** Not made, as it was paused. */
  readonly skipped: number;
  /** After a forced collection of garbage. */
  readonly rssBytes: number;
  /** Of the heap and beside it. */
  readonly usedBytes: number;
  readonly cpuMs: number;
  /** The longest that the event loop was held up since the report before. */
  readonly blockedMs: number;
  /** How late the latest result was made since the report before. */
  readonly latestMs: number;
  readonly views: readonly SinkView[];
  readonly spool: SpoolView;
}

export interface Maker extends AsyncDisposable {
  readonly pid: number;
  /** Numbers of results that the pipeline has taken. */
  readonly confirmed: readonly number[];
  readonly exited: Promise<Exit>;
  stderr(): string;
  report(): Promise<MakerReport>;
  pause(): void;
  resume(): void;
  /** Until a report is as wanted, or the time is over: the last one. */
  until(isEnough: (report: MakerReport) => boolean, withinMs: number): Promise<MakerReport>;
  /** As an operator would; its last report. */
  end(): Promise<MakerReport>;
  kill(): Promise<void>;
}

const PROGRAM = path.join(import.meta.dirname, 'result-maker.ts');
const LOOK_MS = 500;

export function startMaker(options: MakerOptions, env: Readonly<Record<string, string>>): Maker {
  const command = [process.execPath, ...COMMAND_FLAGS, '--expose-gc', PROGRAM];
  const child = startProcess([...command, JSON.stringify(options)], { env });
  const confirmed: number[] = [];
  const waiting: ((report: MakerReport) => void)[] = [];
  const read = (async () => {
    for await (const line of child.lines) {
      if (line.startsWith('{')) waiting.shift()?.(JSON.parse(line));
      else confirmed.push(Number(line));
    }
  })();
  const ended = child.exited.then((exit) => {
    throw new Error(`the result maker has ended (${JSON.stringify(exit)}): ${child.stderr()}`);
  });
  // It is awaited only where an answer is.
  ended.catch(() => {});
  const ask = (request: string): Promise<MakerReport> => {
    const answer = new Promise<MakerReport>((resolve) => waiting.push(resolve));
    child.send(request);
    return Promise.race([answer, ended]);
  };
  const report = (): Promise<MakerReport> => ask('report');
  return {
    pid: child.pid,
    confirmed,
    exited: child.exited,
    stderr: child.stderr,
    report,
    pause: () => child.send('pause'),
    resume: () => child.send('resume'),
    until: async (isEnough, withinMs) => {
      const deadline = Date.now() + withinMs;
      let last = await report();
      while (!isEnough(last) && Date.now() < deadline) {
        await sleep(LOOK_MS);
        last = await report();
      }
      return last;
    },
    end: async () => {
      const last = await ask('end');
      await child.exited;
      return last;
    },
    kill: async () => {
      await child.stop('SIGKILL');
      await read;
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}

/** Results of each view that are neither delivered, nor pending, nor dropped: 0, or a defect. */
export const unaccounted = (views: readonly SinkView[]): number =>
  views.reduce((sum, view) => {
    const { produced, delivered, pending } = view;
    return sum + Math.abs(produced - delivered - pending - droppedIn(view));
  }, 0);

export const pendingOf = (views: readonly SinkView[]): number =>
  views.reduce((sum, { pending }) => sum + pending, 0);

export const droppedIn = ({ dropped }: SinkView): number =>
  Object.values(dropped).reduce((sum, count) => sum + count, 0);

export const droppedOf = (views: readonly SinkView[]): number =>
  views.reduce((sum, view) => sum + droppedIn(view), 0);

/** CloudWatch gathers for a minute, and gives up what it has gathered at the end. */
const gathersLong = ({ sink }: SinkView): boolean => sink.startsWith('cloudwatch');
const FRESH_MS = { usually: 15_000, cloudwatch: 75_000 };

export const isIdle = ({ views }: MakerReport): boolean =>
  pendingOf(views.filter((view) => !gathersLong(view))) === 0;

/** Nothing waits longer than what is live. */
export const isFresh = ({ views }: MakerReport): boolean =>
  views.every((view) => view.lagMs < FRESH_MS[gathersLong(view) ? 'cloudwatch' : 'usually']);
