import { describe, expect, it } from 'vitest';
import { duration, megabytes, plural, until } from '../../../src/cli/text.ts';

describe('a duration', () => {
  it.each([
    [null, '-'],
    [0, '0.0 ms'],
    [0.44, '0.4 ms'],
    [9.94, '9.9 ms'],
    [9.96, '10 ms'],
    [999.4, '999 ms'],
    [999.6, '1.0 s'],
    [59_940, '59.9 s'],
    [59_960, '1 m 0 s'],
    [303_000, '5 m 3 s'],
    [3_599_400, '59 m 59 s'],
    [3_599_999, '1 h 0 m'],
    [7_500_000, '2 h 5 m'],
    [273_600_000, '3 d 4 h'],
    [-20, '-20 ms'],
  ])('of %s ms reads %s', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });
});

describe('a time to come', () => {
  it.each([
    [null, '-'],
    [999, 'now'],
    [1000, 'now'],
    [13_000, 'in 12.0 s'],
  ])('at %s, seen from 1000, reads %s', (at, text) => {
    expect(until(at, 1000)).toBe(text);
  });
});

describe('numbers', () => {
  it('read as people say them', () => {
    expect([plural(0, 'check'), plural(1, 'check'), plural(2, 'check')]).toEqual([
      '0 checks',
      '1 check',
      '2 checks',
    ]);
    expect(megabytes(88_604_672)).toBe('84.5 MiB');
  });
});
