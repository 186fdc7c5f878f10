import { describe, expect, it } from 'vitest';
import { HOLD_MS, judgeVanished, type VanishCase } from '../../../src/admin/vanish-rule.ts';
import type { CheckId } from '../../../src/shared/domain/check.ts';

const ids = (count: number, from = 0): ReadonlySet<CheckId> =>
  new Set(Array.from({ length: count }, (_, n) => `check-${from + n}` as CheckId));
const aCase = (overrides: Partial<VanishCase>): VanishCase => ({
  published: 100,
  vanished: ids(0),
  held: null,
  confirmed: false,
  now: 1_000_000,
  ...overrides,
});

describe('checks that vanish from the folder', () => {
  it.each([
    ['none', 'none', { vanished: ids(0) }],
    ['few, though all there are', 'few', { published: 10, vanished: ids(10) }],
    ['many, but a small share', 'few', { published: 1000, vanished: ids(200) }],
    ['a fifth exactly', 'few', { published: 100, vanished: ids(20) }],
    ['more than a fifth and more than ten', 'suspicious', { published: 100, vanished: ids(21) }],
    ['eleven of fifty', 'suspicious', { published: 50, vanished: ids(11) }],
    ['all of many', 'suspicious', { published: 100, vanished: ids(100) }],
    ['many, confirmed', 'confirmed', { vanished: ids(50), confirmed: true }],
    [
      'many, since just under ten minutes',
      'suspicious',
      { vanished: ids(50), held: { vanished: ids(50), since: 1_000_001 - HOLD_MS } },
    ],
    [
      'many, the same for ten minutes',
      'lasting',
      { vanished: ids(50), held: { vanished: ids(50), since: 1_000_000 - HOLD_MS } },
    ],
    [
      'as many for ten minutes, but other ones',
      'suspicious',
      { vanished: ids(50, 1), held: { vanished: ids(50), since: 1_000_000 - HOLD_MS } },
    ],
    [
      'still more than ten minutes ago',
      'suspicious',
      { vanished: ids(51), held: { vanished: ids(50), since: 1_000_000 - HOLD_MS } },
    ],
    ['most are back', 'few', { vanished: ids(3), held: { vanished: ids(50), since: 999_000 } }],
    ['all are back', 'none', { held: { vanished: ids(50), since: 999_000 } }],
  ] as const)('%s: %s', (_, reason, scan) => {
    const verdict = judgeVanished(aCase(scan));
    expect(verdict.reason).toBe(reason);
    expect(verdict.held === null).toBe(reason !== 'suspicious');
  });

  it('keep their first instant while the folder says the same, and start anew when it does not', () => {
    const first = judgeVanished(aCase({ vanished: ids(50), now: 1000 })).held;
    const second = judgeVanished(aCase({ vanished: ids(50), held: first, now: 2000 })).held;
    expect(second?.since).toBe(1000);
    const third = judgeVanished(aCase({ vanished: ids(51), held: second, now: 3000 })).held;
    expect(third?.since).toBe(3000);
  });
});
