/**
 * The whole program, of which SIGUSR2 stops the scheduler's time and takes its timers: nothing that falls due
 * is run from then on, while heartbeats go on and the lease lives.
 */

import { type Clock, systemClock } from '../../src/shared/runtime/clock.ts';

const SCHEDULER = '/src/worker/scheduler.ts';

let wedgedAt: number | null = null;
process.on('SIGUSR2', () => {
  wedgedAt = Date.now();
});
const isSchedulers = (): boolean => new Error('who asks?').stack?.includes(SCHEDULER) === true;
const { after, now } = systemClock;
const wedged: Pick<Clock, 'after' | 'now'> = {
  after: (ms, fn) => after(ms, isSchedulers() ? () => wedgedAt !== null || fn() : fn),
  now: () => (wedgedAt !== null && isSchedulers() ? wedgedAt : now()),
};
Object.assign(systemClock, wedged);
await import('../../src/cli.ts');
