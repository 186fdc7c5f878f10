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
/** Trees of files die young: fewer collections save a tenth of the time. */
const YOUNG_MB = 64;

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
  readonly #slice: TimeSlice;
  readonly #waiting: Job[] = [];
  readonly #idle: ParseThread[] = [];
  #threads = 0;
  /** Answers are read one after the other: many that came together are still many. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(clock: Clock) {
    this.#slice = new TimeSlice(clock);
  }

  readonly parse: Parse = async (request) => {
    const answer = await new Promise<Answer>((done) => {
      this.#waiting.push({ request, done });
      this.#dispatch();
    });
    if ('error' in answer) return defect(request.file, answer.error);
    const decoded = this.#turn.then(() => decode(answer, this.#slice));
    this.#turn = decoded;
    return decoded;
  };

  /** To be called when all is parsed. */
  [Symbol.dispose](): void {
    for (const thread of this.#idle) thread.end();
  }

  #dispatch(): void {
    const job = this.#waiting[0];
    const thread = job && (this.#take() ?? this.#start());
    if (!job || !thread) return;
    this.#waiting.shift();
    thread.run(job.request, (answer) => {
      if (thread.isAlive) this.#idle.push(thread);
      else this.#threads--;
      job.done(answer);
      this.#dispatch();
    });
  }

  #take(): ParseThread | null {
    const thread = this.#idle.pop();
    if (!thread || thread.isAlive) return thread ?? null;
    this.#threads--;
    return this.#take();
  }

  #start(): ParseThread | null {
    if (this.#threads >= Math.min(MAX_THREADS, availableParallelism())) return null;
    this.#threads++;
    return new ParseThread();
  }
}

class ParseThread {
  readonly #worker = new Worker(new URL(extension('./parse-worker'), import.meta.url), {
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
  });
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
