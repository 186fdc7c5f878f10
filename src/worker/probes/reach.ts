/**
 * Connects and closes again: claim → **reach** → which endpoints others should try. It goes the way of
 * every run (connect-to, resolver, address policy, TLS), and sends no request.
 */

import { type Reach, reachOf } from '../../shared/rules/offering.ts';
import type { Timer } from '../../shared/runtime/clock.ts';
import type { Channel } from './channel.ts';
import { Dial, type DialContext } from './dial.ts';
import { timeoutProblem } from './failures.ts';
import type { LoopWatch } from './loop-watch.ts';
import type { Abort } from './probe.ts';
import type { Problem } from './problem.ts';
import { resetSocket } from './sockets.ts';
import type { Target } from './target.ts';

const REACH_MS = 3_000;
/** A longer standstill of the event loop can have caused whatever went wrong. */
const MOST_STALL_MS = 300;

export interface ReachContext extends DialContext {
  readonly watch: LoopWatch;
}

/** `done` is called once, not before this returns. */
export const startReach = (
  context: ReachContext,
  { target, channel }: { readonly target: Target; readonly channel: Channel },
  done: (reach: Reach) => void,
): Abort => {
  const { clock, watch } = context;
  const now = clock.monotonicMs();
  const stallMark = watch.enter(now);
  let timer: Timer | null = null;
  let isOver = false;
  let isAborted = false;
  const settle = (reach: Reach): void => {
    isOver = true;
    timer?.cancel();
    watch.leave();
    queueMicrotask(() => {
      if (!isAborted) done(reach);
    });
  };
  const onProblem = ({ code }: Problem): void => {
    const stalledMs = watch.stalledSince(stallMark, clock.monotonicMs());
    settle(stalledMs > MOST_STALL_MS ? 'unsure' : reachOf(code));
  };
  const dial = new Dial(context, {
    target,
    channel,
    deadlineAt: now + REACH_MS,
    onOpen: (socket) => {
      resetSocket(socket);
      settle('reached');
    },
    onProblem,
  });
  dial.start();
  if (!isOver) {
    timer = clock.after(REACH_MS, () => {
      dial.cancel();
      onProblem(timeoutProblem(dial.phase, REACH_MS));
    });
  }
  return () => {
    isAborted = true;
    if (isOver) return;
    isOver = true;
    timer?.cancel();
    watch.leave();
    dial.cancel();
  };
};
