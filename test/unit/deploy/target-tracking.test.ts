import { describe, expect, it } from 'vitest';
import { wantedBy } from '../../../deploy/local/target-tracking.ts';

const POLICY = { target: 70, min: 1, max: 5, outAfter: 2, inAfter: 3 };
const all = (wanted: number) => ({ wanted, warm: wanted });

describe('target tracking of the local group', () => {
  it('wants as many as bring the level to the target, after so many levels above it', () => {
    expect(wantedBy(POLICY, [140], all(1))).toBe(1);
    expect(wantedBy(POLICY, [60, 140], all(1))).toBe(1);
    expect(wantedBy(POLICY, [140, 140], all(1))).toBe(2);
    expect(wantedBy(POLICY, [90, 120], all(3))).toBe(6 - 1);
  });

  it('does not start more while those that it has started warm up', () => {
    expect(wantedBy(POLICY, [140, 140], { wanted: 2, warm: 1 })).toBe(2);
    expect(wantedBy(POLICY, [200, 200], { wanted: 2, warm: 1 })).toBe(3);
  });

  it('stays within its bounds', () => {
    expect(wantedBy(POLICY, [200, 200], all(4))).toBe(5);
    expect(wantedBy(POLICY, [1, 1, 1], all(2))).toBe(1);
    expect(wantedBy({ ...POLICY, min: 2 }, [0, 0, 0], all(3))).toBe(2);
  });

  it('wants fewer only after so many levels well below the target, once all are warm', () => {
    expect(wantedBy(POLICY, [30, 30], all(4))).toBe(4);
    expect(wantedBy(POLICY, [30, 65, 30], all(4))).toBe(4);
    expect(wantedBy(POLICY, [30, 30, 30], { wanted: 4, warm: 3 })).toBe(4);
    expect(wantedBy(POLICY, [30, 30, 30], all(4))).toBe(2);
  });

  it('leaves a level alone that is close to the target', () => {
    expect(wantedBy(POLICY, [70, 70, 70], all(3))).toBe(3);
    expect(wantedBy(POLICY, [64, 64, 64], all(3))).toBe(3);
  });

  it('wants what it wanted before there is a level', () => {
    expect(wantedBy(POLICY, [], all(2))).toBe(2);
  });
});
