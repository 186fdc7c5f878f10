import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CheckId, JobsetId } from '../../../src/shared/domain/check.ts';
import { isStrained, kickRate, partings } from '../../../src/shared/rules/relief.ts';

const js = (name: string) => name as JobsetId;
const burdens = (...weights: number[]) =>
  weights.map((weight, n) => ({ id: js(`js-${n}`), weight }));
const total = (all: readonly { readonly weight: number }[]) =>
  all.reduce((sum, { weight }) => sum + weight, 0);
const noJobs = () => new Map<CheckId, number>();
const jobs = (...weights: number[]) =>
  new Map(weights.map((weight, n) => [`job-${n}` as CheckId, weight]));

describe('relief begins', () => {
  it.each([
    ['above nine tenths of what it can take', 0.91, 0, true],
    ['not at nine tenths', 0.9, 0, false],
    ['where checks stay behind, with eight tenths', 0.8, 1, true],
    ['not where checks stay behind for want of anything but capacity', 0.79, 50, false],
  ])('%s', (_, utilisation, behind, begins) => {
    expect(isStrained({ utilisation, behind })).toBe(begins);
  });
});

describe('what a worker hands back', () => {
  it('is a tenth of what it has, the heaviest that fit first', () => {
    const held = burdens(4, 6, 5, 3, 2, 20, 60);
    expect(partings(held, { utilisation: 1.6, total: 100 }, noJobs)).toEqual([
      { jobset: js('js-1'), jobs: null },
      { jobset: js('js-0'), jobs: null },
    ]);
  });

  it('is one jobset at least, the lightest, when each is more than a tenth', () => {
    const held = burdens(40, 25, 35);
    const going = partings(held, { utilisation: 1.6, total: 100 }, noJobs);
    expect(going).toEqual([{ jobset: js('js-1'), jobs: null }]);
  });

  it('is single jobs of the heaviest when each jobset is more than it has too much', () => {
    const held = burdens(50, 50.5);
    const weights = new Map([[js('js-1'), jobs(20, 0.5, 6, 4, 20)]]);
    const weightsOf = (id: JobsetId) => weights.get(id) ?? jobs();
    const going = partings(held, { utilisation: 0.92, total: 100.5 }, weightsOf);
    expect(going).toEqual([{ jobset: js('js-1'), jobs: ['job-2', 'job-3'] }]);
  });

  it('is nothing where each job is more than it has too much: it would only be too much elsewhere', () => {
    expect(partings(burdens(10), { utilisation: 0.81, total: 10 }, () => jobs(5, 5))).toEqual([]);
  });

  it('is nothing with room to spare, or with nothing to give', () => {
    expect(partings(burdens(1, 1), { utilisation: 0.8, total: 2 }, noJobs)).toEqual([]);
    expect(partings([], { utilisation: 2, total: 2 }, noJobs)).toEqual([]);
  });

  it('never brings it below what is room, nor is more than a tenth but for one jobset', () => {
    const weight = fc.double({ min: 0.01, max: 10, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(weight, { minLength: 1, maxLength: 30 }),
        fc.double({ min: 0.81, max: 5, noNaN: true }),
        (weights, utilisation) => {
          const held = burdens(...weights);
          const all = total(held);
          const weightsOf = (id: JobsetId) => {
            const whole = held.find((one) => one.id === id)?.weight ?? 0;
            return jobs(whole / 2, whole / 3, whole / 6);
          };
          const going = partings(held, { utilisation, total: all }, weightsOf);
          const gone = total(
            going.flatMap(({ jobset, jobs: some }) =>
              some === null
                ? held.filter(({ id }) => id === jobset)
                : some.map((job) => ({ weight: weightsOf(jobset).get(job) ?? 0 })),
            ),
          );
          expect(utilisation * (1 - gone / all)).toBeGreaterThan(0.8 - 1e-9);
          if (going.length > 1) expect(gone).toBeLessThanOrEqual(all / 10 + 1e-9);
        },
      ),
    );
  });
});

describe('jobs go to the queue', () => {
  it('a tenth a minute where every check counts, every five seconds where the pool sheds', () => {
    expect(kickRate('rebalance', 45)).toEqual({ jobs: 4, withinMs: 60_000 });
    expect(kickRate('shed', 45)).toEqual({ jobs: 4, withinMs: 5_000 });
  });

  it('one at a time at least', () => {
    expect(kickRate('rebalance', 3).jobs).toBe(1);
  });
});
