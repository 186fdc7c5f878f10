/** The port of whatever takes results as they are made: runner → **sink**. Never throws or waits. */

import type { PostSettings } from '../domain/check.ts';
import type { Result, Transition } from '../domain/result.ts';
import type { SinkView } from '../domain/status.ts';

export interface Sink extends AsyncDisposable {
  /** `posts` is what the check's file configures. */
  write(result: Result, transition: Transition | null, posts: PostSettings | undefined): void;
  /** What became of them. */
  readonly views: readonly SinkView[];
}
