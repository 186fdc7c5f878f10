/**
 * What a run shows: a live table on a terminal, else a JSON line a result. It is a sink, and the
 * place through which log lines go, because on a terminal both share the screen.
 */

import type { Result } from '../shared/domain/result.ts';
import type { SinkView, StatusSource } from '../shared/domain/status.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { LogOptions } from '../shared/runtime/log.ts';
import { JsonLines } from '../shared/sinks/json/json-lines.ts';
import type { Sink } from '../shared/sinks/sink.ts';
import { LiveTable } from './live-table.ts';

export interface RunOutputOptions {
  readonly clock: Clock;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  /** A table in place of lines, where stdout is a terminal. */
  readonly table: boolean;
}

export class RunOutput implements Sink {
  readonly #options: RunOutputOptions;
  readonly #lines: JsonLines | null;
  #table: LiveTable | null = null;

  constructor(options: RunOutputOptions) {
    const { clock, stdout, table } = options;
    this.#options = options;
    this.#lines = table && stdout.isTTY ? null : new JsonLines(stdout, clock);
  }

  /** Where the log writes: above the table, when both are on one screen. */
  get stderr(): LogOptions['stderr'] {
    const { stderr } = this.#options;
    const write = (text: string): void => {
      if (stderr.isTTY && this.#table !== null) this.#table.note(text);
      else stderr.write(text);
    };
    return { isTTY: stderr.isTTY, write };
  }

  /** Begins to show these checks. */
  show(source: StatusSource): void {
    const { clock, stdout } = this.#options;
    if (this.#lines !== null) return;
    this.#table = new LiveTable({ source, clock, terminal: stdout });
  }

  get views(): readonly SinkView[] {
    return this.#lines?.views ?? [];
  }

  write(result: Result): void {
    this.#lines?.write(result);
    this.#table?.changed();
  }

  /** Leaves the table as it is: once the worker hands its checks back, there are none to show. */
  freeze(): void {
    this.#table?.[Symbol.dispose]();
    this.#table = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.freeze();
    await this.#lines?.[Symbol.asyncDispose]();
  }
}
