/** The checks on a terminal, redrawn in place: results → **live table**. Worst first, cut to fit. */

import {
  CHECK_STATUSES,
  type CheckView,
  type StatusSource,
  type StatusSummary,
} from '../shared/domain/status.ts';
import type { Clock, Timer } from '../shared/runtime/clock.ts';
import { checkColumns, summaryText } from './check-columns.ts';
import { renderTable } from './table.ts';

export interface Terminal extends NodeJS.WritableStream {
  readonly columns: number;
  readonly rows: number;
}

export interface LiveTableOptions {
  readonly source: StatusSource;
  readonly clock: Clock;
  readonly terminal: Terminal;
}

/** Four frames a second are as many as a person can follow. */
const FRAME_MS = 250;
/** Without a result, only the countdown to the next run moves. */
const IDLE_FRAMES = 4;
/** Summary, titles, the count of what did not fit, and the line with the cursor. */
const LINES_AROUND = 4;

/** Lines are cut by the terminal while they are drawn, whatever their letters' width. */
const NO_WRAP = '\x1b[?7l';
const WRAP = '\x1b[?7h';
const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
const ERASE_BELOW = '\x1b[0J';

export class LiveTable implements Disposable {
  readonly #options: LiveTableOptions;
  #timer: Timer;
  #changed = true;
  #idleFrames = 0;
  /** How far up the table begins. */
  #height = 0;

  constructor(options: LiveTableOptions) {
    this.#options = options;
    options.terminal.write(HIDE_CURSOR);
    this.#timer = options.clock.after(0, () => this.#frame());
  }

  /** There is something new to show. */
  changed(): void {
    this.#changed = true;
  }

  /** Text that stays, above the table: log lines, where both share a terminal. */
  note(text: string): void {
    this.#options.terminal.write(this.#erase() + text);
    this.#height = 0;
    this.#draw();
  }

  /** Leaves the last state on the terminal. */
  [Symbol.dispose](): void {
    this.#timer.cancel();
    this.#draw();
    this.#options.terminal.write(SHOW_CURSOR);
  }

  #frame(): void {
    this.#timer = this.#options.clock.after(FRAME_MS, () => this.#frame());
    if (!this.#changed && ++this.#idleFrames < IDLE_FRAMES) return;
    this.#draw();
  }

  /** One write a frame, so that nothing flickers. */
  #draw(): void {
    const { source, clock, terminal } = this.#options;
    const lines = frameOf(source, { now: clock.now(), terminal });
    const text = lines.map((line) => `${line}\n`).join('');
    terminal.write(`${this.#erase()}${NO_WRAP}${text}${WRAP}`);
    this.#height = lines.length;
    this.#changed = false;
    this.#idleFrames = 0;
  }

  #erase(): string {
    return this.#height === 0 ? '' : `\x1b[${this.#height}A\r${ERASE_BELOW}`;
  }
}

interface Frame {
  readonly now: number;
  readonly terminal: Terminal;
}

/** The lines of one frame; pure but for what it reads. */
export const frameOf = (source: StatusSource, { now, terminal }: Frame): readonly string[] => {
  const room = Math.max(1, terminal.rows - LINES_AROUND);
  const views = worstFirst(source, room);
  const summary = source.summary();
  const columns = checkColumns({ now, stream: terminal });
  const more = totalOf(summary) - views.length;
  return [
    summaryText(summary, terminal),
    ...renderTable(columns, views, terminal.columns),
    ...(more > 0 ? [`and ${more} more: watcher status`] : []),
  ];
};

const worstFirst = (source: StatusSource, room: number): readonly CheckView[] => {
  const views: CheckView[] = [];
  for (const status of CHECK_STATUSES) {
    const limit = room - views.length;
    if (limit > 0) views.push(...source.checks({ status, limit }));
  }
  return views;
};

const totalOf = (summary: StatusSummary): number =>
  Object.values(summary).reduce((sum, count) => sum + count, 0);
