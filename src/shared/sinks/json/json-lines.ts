/**
 * Results as JSON lines into a stream. Lines are gathered and written in one piece, because a
 * write a line costs more than making the line; a reader that has stopped reading costs no check
 * and no memory without bound: past the cap lines are dropped and counted.
 */

import type { Writable } from 'node:stream';
import { nothingDropped } from '../../domain/delivery.ts';
import type { Result } from '../../domain/result.ts';
import type { SinkView } from '../../domain/status.ts';
import type { Clock, Timer } from '../../runtime/clock.ts';
import type { Sink } from '../sink.ts';
import { jsonLine } from './json-line.ts';

const GATHER_MS = 50;
const GATHER_CHARS = 64 * 1024;
const BACKLOG_BYTES = 16 * 1024 * 1024;

export class JsonLines implements Sink {
  readonly #stream: Writable;
  readonly #clock: Clock;
  #gathered: string[] = [];
  #chars = 0;
  #timer: Timer | null = null;
  #failed = false;
  #delivered = 0;
  /** Lines that the reader did not take in time, or that came after the stream had failed. */
  #dropped = 0;

  constructor(stream: Writable, clock: Clock) {
    this.#stream = stream;
    this.#clock = clock;
    // A closed pipe is the reader's choice: checks go on, lines are counted as dropped.
    stream.on('error', () => {
      this.#failed = true;
    });
  }

  get views(): readonly SinkView[] {
    const pending = this.#gathered.length;
    return [
      {
        sink: 'stdout',
        produced: this.#delivered + this.#dropped + pending,
        delivered: this.#delivered,
        pending,
        dropped: { ...nothingDropped(), overflow: this.#dropped },
        retried: 0,
        calls: 0,
        lagMs: 0,
        failing: this.#failed ? 'nobody reads stdout any more' : null,
      },
    ];
  }

  write(result: Result): void {
    const line = jsonLine(result);
    this.#gathered.push(line);
    this.#chars += line.length;
    if (this.#chars >= GATHER_CHARS) this.#flush();
    else this.#timer ??= this.#clock.after(GATHER_MS, () => this.#flush());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#flush();
    // The callback comes after everything before it was written, or with the error.
    await new Promise<void>((resolve) => this.#stream.write('', () => resolve()));
  }

  #flush(): void {
    this.#timer?.cancel();
    this.#timer = null;
    const lines = this.#gathered;
    this.#gathered = [];
    this.#chars = 0;
    if (lines.length === 0) return;
    if (this.#failed || this.#stream.writableLength > BACKLOG_BYTES) {
      this.#dropped += lines.length;
      return;
    }
    this.#delivered += lines.length;
    this.#stream.write(lines.join(''));
  }
}
