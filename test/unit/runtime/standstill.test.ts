import { describe, expect, it } from 'vitest';
import {
  type Seen,
  standstillOf,
  WATCH_START,
  watchAfter,
} from '../../../src/shared/runtime/standstill.ts';

const LIMITS = { limitMs: 30_000, lookMs: 1_000 };

/** At which of the looks it is found to stand still; null: at none. */
const foundAt = (looks: readonly Partial<Seen>[]): number | null => {
  let watch = WATCH_START;
  for (const [n, { pulses = n, overdueMs = 0 }] of looks.entries()) {
    watch = watchAfter(watch, { pulses, overdueMs }, LIMITS.limitMs);
    if (standstillOf(watch, LIMITS) !== null) return n;
  }
  return null;
};
const times = (count: number, look: Partial<Seen>) => Array.from({ length: count }, () => look);

describe('a process', () => {
  it('stands still when its loop has not turned for thirty looks', () => {
    expect(foundAt(times(40, { pulses: 7 }))).toBe(30);
  });

  it('does not where it turns slowly', () => {
    const slowly = Array.from({ length: 300 }, (_, n) => ({ pulses: Math.floor(n / 25) }));
    expect(foundAt(slowly)).toBe(null);
  });

  it('stands still when it turns and starts none of its checks', () => {
    expect(foundAt(times(40, { overdueMs: 30_001 }))).toBe(4);
    expect(foundAt(times(40, { overdueMs: 30_000 }))).toBe(null);
  });

  it('does not after a pause of hours, at whose end everything is overdue for a moment', () => {
    const hours = 7_200_000;
    const looks = [...times(10, {}), ...times(3, { overdueMs: hours }), ...times(10, {})];
    expect(foundAt(looks.map((look, n) => ({ pulses: n, ...look })))).toBe(null);
  });

  it('says which of the two it was', () => {
    let [still, overdue] = [WATCH_START, WATCH_START];
    for (let look = 0; look < 40; look += 1) {
      still = watchAfter(still, { pulses: 1, overdueMs: 0 }, LIMITS.limitMs);
      overdue = watchAfter(overdue, { pulses: look, overdueMs: 60_000 }, LIMITS.limitMs);
    }
    expect(standstillOf(still, LIMITS)).toBe('its event loop has not turned for 30 s');
    expect(standstillOf(overdue, LIMITS)).toContain('none is started');
  });
});
