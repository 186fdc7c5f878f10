import { describe, expect, it } from 'vitest';
import { Breaker } from '../../../src/shared/sinks/breaker.ts';

const at = (next: number) => new Breaker({ next: () => next, uuid: () => '' });

/** Fails, waits until it may be called again, fails again: how long each wait is. */
const waits = (breaker: Breaker, setback: 'retry' | 'denied', count: number): number[] => {
  let now = 0;
  return Array.from({ length: count }, () => {
    breaker.fail(setback, 'why', { now });
    const wait = breaker.openUntil - now;
    now = breaker.openUntil;
    return wait;
  });
};

describe('a breaker', () => {
  it('doubles its back-off from half a second to ten, with full jitter', () => {
    expect(waits(at(1), 'retry', 7)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
    expect(waits(at(0), 'retry', 3)).toEqual([0, 0, 0]);
  });

  it('waits up to five minutes for a person, never less than half of that', () => {
    expect(waits(at(1), 'denied', 8).at(-1)).toBe(300_000);
    expect(waits(at(0), 'denied', 8).at(-1)).toBe(150_000);
  });

  it('is never called before the sink wants to be', () => {
    const breaker = at(0);
    breaker.fail('retry', '429', { now: 0, afterMs: 9_000 });
    expect([breaker.isOpen(8_999), breaker.isOpen(9_000)]).toEqual([true, false]);
  });

  it('counts calls that fail together once, and keeps the longest wait of them', () => {
    const breaker = at(1);
    breaker.fail('retry', 'a', { now: 0 });
    breaker.fail('retry', 'b', { now: 10 });
    expect(breaker.openUntil).toBe(500);
    breaker.fail('retry', 'c', { now: 10, afterMs: 2_000 });
    expect(breaker.openUntil).toBe(2_010);
    breaker.fail('retry', 'd', { now: 2_010 });
    expect(breaker.openUntil).toBe(3_010);
  });

  it('starts over after a success', () => {
    const breaker = at(1);
    waits(breaker, 'retry', 5);
    breaker.succeed();
    expect([breaker.isClosed, breaker.reason, breaker.isOpen(0)]).toEqual([true, null, false]);
    expect(waits(breaker, 'retry', 1)).toEqual([500]);
  });
});
