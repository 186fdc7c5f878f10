/**
 * Parse threads, so that a large folder never keeps a running worker from its checks. Started when
 * there is work for them, ended with the load that they work for.
 */

import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Clock } from '../runtime/clock.ts';
import { TimeSlice } from '../runtime/time-slice.ts';
import { type CheckFile, readCheckFile, unreadable } from './check-file.ts';
import { WHOLE_FILE } from './diagnostics.ts';
import { decode, type ParseAnswer, type ParseRequest } from './parse-message.ts';

export type Parse = (request: ParseRequest) => Promise<CheckFile>;

const MAX_THREADS = 2;

/** Without a thread, for what is small. */
export const parseHere: Parse = async ({ defaults, ...file }) => {
  try {
    return readCheckFile(file, defaults);
  } catch (error) {
    return defect(file.file, String(error));
  }
};

const defect = (file: string, error: string): CheckFile =>
  unreadable(file, [
    { code: 'E301', place: WHOLE_FILE, message: `it could not be parsed: ${error}` },
  ]);

type Answer = ParseAnswer | { readonly error: string };
type Answered = (answer: Answer) => void;

interface Job {
  readonly request: ParseRequest;
  readonly done: Answered;
}

export class ParsePool implements Disposable {
  readonly #clock: Clock;
  readonly #waiting: Job[] = [];
  readonly #idle: ParseThread[] = [];
  #threads = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  readonly parse: Parse = async (request) => {
    const answer = await new Promise<Answer>((done) => {
      this.#waiting.push({ request, done });
      this.#dispatch();
    });
    if ('error' in answer) return defect(request.file, answer.error);
    return decode(answer, new TimeSlice(this.#clock));
  };

  /** To be called when all is parsed. */
  [Symbol.dispose](): void {
    for (const thread of this.#idle) thread.end();
  }

  #dispatch(): void {
    const job = this.#waiting[0];
    const thread = job && (this.#idle.pop() ?? this.#start());
    if (!job || !thread) return;
    this.#waiting.shift();
    thread.run(job.request, (answer) => {
      if (thread.isAlive) this.#idle.push(thread);
      else this.#threads--;
      job.done(answer);
      this.#dispatch();
    });
  }

  #start(): ParseThread | null {
    if (this.#threads >= Math.min(MAX_THREADS, availableParallelism())) return null;
    this.#threads++;
    return new ParseThread();
  }
}

class ParseThread {
  readonly #worker = new Worker(new URL(extension('./parse-worker'), import.meta.url));
  #answered: Answered | null = null;
  isAlive = true;

  constructor() {
    this.#worker.on('message', (answer) => this.#settle(answer));
    this.#worker.on('error', (error) => this.#die(String(error)));
    this.#worker.on('exit', () => this.#die('the parse thread ended'));
  }

  run(request: ParseRequest, answered: Answered): void {
    this.#answered = answered;
    this.#worker.postMessage(request);
  }

  end(): void {
    void this.#worker.terminate();
  }

  #die(error: string): void {
    this.isAlive = false;
    this.#settle({ error });
  }

  #settle(answer: Answer): void {
    const answered = this.#answered;
    this.#answered = null;
    answered?.(answer);
  }
}

/** Sources run as they are, or built: the thread's file is called as this one is. */
function extension(path: string): string {
  return path + import.meta.url.slice(import.meta.url.lastIndexOf('.'));
}
