import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import {
  Lifecycle,
  onReaderGone,
  refuseUnsafeEnvironment,
} from '../../../src/shared/runtime/lifecycle.ts';
import { silentLog } from '../../../src/shared/runtime/log.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const never = () => new Promise<void>(() => {});

const begin = () => {
  const signals = new EventEmitter();
  const clock = new ManualClock();
  const lifecycle = new Lifecycle({ clock, log: silentLog, drainMs: 10_000, signals });
  return { signals, clock, lifecycle };
};

describe('the lifecycle', () => {
  it('stops the parts one by one, the last named first, and ends with 0', async () => {
    const { signals, clock, lifecycle } = begin();
    const steps: string[] = [];
    lifecycle.onStop('server', () => void steps.push('server'));
    lifecycle.onStop('worker', async () => {
      steps.push('worker drains');
      await clock.sleep(3000);
      steps.push('worker');
    });
    signals.emit('SIGTERM');
    await clock.advance(2999);
    expect(steps).toEqual(['worker drains']);
    await clock.advance(1);
    expect(steps).toEqual(['worker drains', 'worker', 'server']);
    await expect(lifecycle.ended).resolves.toBe(0);
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ])('ends at once on a second signal, %s, with %i', async (signal, code) => {
    const { signals, lifecycle } = begin();
    lifecycle.onStop('worker', never);
    signals.emit('SIGTERM');
    signals.emit(signal);
    await expect(lifecycle.ended).resolves.toBe(code);
  });

  it('ends when the deadline has passed, with the code of the signal', async () => {
    const { signals, clock, lifecycle } = begin();
    lifecycle.onStop('worker', never);
    signals.emit('SIGINT');
    await clock.advance(10_000);
    await expect(lifecycle.ended).resolves.toBe(130);
  });

  it('stops the other parts when one fails to stop, and says so with its code', async () => {
    const { lifecycle } = begin();
    const steps: string[] = [];
    lifecycle.onStop('first', () => void steps.push('first'));
    lifecycle.onStop('second', () => Promise.reject(new Error('stuck')));
    lifecycle.stop();
    await expect(lifecycle.ended).resolves.toBe(1);
    expect(steps).toEqual(['first']);
  });

  it('reloads on SIGHUP and goes on', () => {
    const { signals, lifecycle } = begin();
    let reloads = 0;
    lifecycle.onReload(() => reloads++);
    signals.emit('SIGHUP');
    signals.emit('SIGHUP');
    expect(reloads).toBe(2);
  });

  it('leaves no listener behind', async () => {
    const { signals, lifecycle } = begin();
    lifecycle.onReload(() => {});
    lifecycle.stop();
    await lifecycle.ended;
    expect(signals.eventNames()).toEqual([]);
  });
});

describe('a reader of stdout that goes away', () => {
  it('is told of once', () => {
    const stdout = new EventEmitter();
    let gone = 0;
    onReaderGone(stdout, () => gone++);
    stdout.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    stdout.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    expect(gone).toBe(1);
  });

  it('is told from a full disk', () => {
    const stdout = new EventEmitter();
    let gone = 0;
    onReaderGone(stdout, () => gone++);
    stdout.emit('error', Object.assign(new Error('no space left'), { code: 'ENOSPC' }));
    expect(gone).toBe(0);
  });
});

describe('the environment', () => {
  it('is refused when it switches TLS verification off for everything', () => {
    const refuse = () => refuseUnsafeEnvironment({ NODE_TLS_REJECT_UNAUTHORIZED: '0' });
    expect(refuse).toThrow(expect.objectContaining({ code: 'WCH_SETTINGS' }));
  });

  it.each([undefined, '1', ''])('is accepted when the variable is %j', (value) => {
    expect(() => refuseUnsafeEnvironment({ NODE_TLS_REJECT_UNAUTHORIZED: value })).not.toThrow();
  });
});
