/**
 * The whole program, of which SIGUSR2 takes the timers of the scheduler: nothing that falls due is run from
 * then on, while heartbeats go on and the lease lives.
 */

import { type Clock, systemClock } from '../../src/shared/runtime/clock.ts';

const SCHEDULER = '/src/worker/scheduler.ts';

let isWedged = false;
process.on('SIGUSR2', () => {
  isWedged = true;
});
const { after } = systemClock;
const wedging: Clock['after'] = (ms, fn) => {
  const isSchedulers = new Error('who asks?').stack?.includes(SCHEDULER) === true;
  return after(ms, isSchedulers ? () => isWedged || fn() : fn);
};
Object.assign(systemClock, { after: wedging });
await import('../../src/cli.ts');
