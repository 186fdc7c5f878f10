/**
 * The whole program, of which SIGUSR2 takes the timers of the scheduler, and its time where it looks for what
 * is due: nothing that falls due is run from then on, while heartbeats go on and the lease lives.
 */

import { type Clock, systemClock } from '../../src/shared/runtime/clock.ts';

const SCHEDULER = '/src/worker/scheduler.ts';

let wedgedAt: number | null = null;
process.on('SIGUSR2', () => {
  wedgedAt = Date.now();
});
const isAskedBy = (caller: string): boolean =>
  new Error('who asks?').stack?.includes(caller) === true;
const { after, now } = systemClock;
const wedged: Pick<Clock, 'after' | 'now'> = {
  after: (ms, fn) => after(ms, isAskedBy(SCHEDULER) ? () => wedgedAt !== null || fn() : fn),
  now: () => (wedgedAt !== null && isAskedBy('#wake') ? wedgedAt : now()),
};
Object.assign(systemClock, wedged);
await import('../../src/cli.ts');
