import { describe, expect, it } from 'vitest';
import type { JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';
import {
  type Candidate,
  fieldOf,
  rankOf,
  type Vacancy,
} from '../../../src/shared/rules/ranking.ts';

const aWorker = (
  id: string,
  zone: string | null = null,
  state: Candidate['state'] = 'up',
): Candidate => ({ id: id as WorkerId, zone, state });
const workers = Array.from({ length: 10 }, (_, n) => aWorker(`w${n}`));
const vacancy = (id: string, more: { zone?: string; avoid?: string[] } = {}) => ({
  id: id as JobsetId,
  zone: more.zone ?? null,
  avoid: (more.avoid ?? []) as WorkerId[],
});
const empty = { candidates: workers, heldBy: () => 0 };
const rank = (me: Candidate, vacancy: Vacancy, others: Parameters<typeof fieldOf>[1]) =>
  rankOf(vacancy, fieldOf(me, others));

describe('the order in which workers try to claim a vacancy', () => {
  it('gives each its own place', () => {
    for (let n = 0; n < 50; n += 1) {
      const ranks = workers.map((worker) => rank(worker, vacancy(`js-${n}`), empty));
      expect([...ranks].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }
  });

  it('spreads the first places over all', () => {
    const firsts = Array.from({ length: 1_000 }, (_, n) =>
      workers.findIndex((worker) => rank(worker, vacancy(`js-${n}`), empty) === 0),
    );
    for (let w = 0; w < workers.length; w += 1) {
      const share = firsts.filter((first) => first === w).length;
      expect(share).toBeGreaterThan(60);
      expect(share).toBeLessThan(140);
    }
  });

  it('puts those that hold more than their share behind those that do not', () => {
    const heldBy = (id: WorkerId) => (id === 'w3' ? 20 : 5);
    for (let n = 0; n < 50; n += 1)
      expect(rank(aWorker('w3'), vacancy(`js-${n}`), { candidates: workers, heldBy })).toBe(9);
  });

  it('puts full ones behind those with room, and before those that could not reach it', () => {
    const candidates = [
      aWorker('w1', null, 'full'),
      ...workers.slice(2),
      aWorker('w0', null, 'full'),
      aWorker('w9'),
    ].slice(0, 10);
    for (let n = 0; n < 50; n += 1) {
      const avoided = vacancy(`js-${n}`, { avoid: ['w9'] });
      const all = { candidates, heldBy: () => 0 };
      const ranks = candidates.map((one) => rank(one, avoided, all));
      expect(Math.min(ranks[0] ?? 0, ranks.at(-1) ?? 0)).toBe(7);
      expect(rank(aWorker('w9'), avoided, all)).toBe(9);
    }
  });

  it('is the same in any release: workers of two of them must agree', () => {
    const ranks = workers.map((worker) => rank(worker, vacancy('js-1'), empty));
    expect(ranks).toEqual([1, 7, 9, 8, 2, 0, 3, 6, 4, 5]);
  });

  it('puts those last that could not reach its endpoints, and leaves it to them if they are alone', () => {
    const avoided = vacancy('js', { avoid: ['w1'] });
    expect(rank(aWorker('w1'), avoided, empty)).toBe(9);
    expect(rank(aWorker('w1'), avoided, { candidates: [aWorker('w1')], heldBy: () => 9 })).toBe(0);
  });

  it('tries other zones first where a worker of one could not reach it', () => {
    const candidates = [
      aWorker('a1', 'a'),
      aWorker('a2', 'a'),
      aWorker('b1', 'b'),
      aWorker('b2', 'b'),
    ];
    for (let n = 0; n < 20; n += 1) {
      const avoided = vacancy(`js-${n}`, { avoid: ['a1'] });
      const ranks = candidates.map((one) => rank(one, avoided, { candidates, heldBy: () => 0 }));
      expect(ranks.slice(0, 2)).toEqual([3, 2]);
    }
  });

  it('leaves what has a zone to the workers of that zone', () => {
    const candidates = [...workers, aWorker('edge-1', 'edge'), aWorker('edge-2', 'edge')];
    const bound = vacancy('js', { zone: 'edge' });
    const ranks = candidates.map((one) => rank(one, bound, { candidates, heldBy: () => 0 }));
    expect(ranks.slice(0, 10)).toEqual(Array(10).fill(null));
    expect(ranks.slice(10).sort()).toEqual([0, 1]);
  });

  it('counts me in though the others do not see me yet', () => {
    expect(rank(aWorker('new'), vacancy('js'), empty)).toBeLessThanOrEqual(10);
    expect(rank(aWorker('new'), vacancy('js'), { candidates: [], heldBy: () => 0 })).toBe(0);
  });
});
