/** The order in which workers claim, for any pool: they need not talk, as each computes the same. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';
import {
  type Candidate,
  fieldOf,
  rankOf,
  type Vacancy,
} from '../../../src/shared/rules/ranking.ts';

const zone = fc.constantFrom(null, 'east', 'west');
const state = fc.constantFrom('up', 'full');
const pool = fc
  .uniqueArray(fc.record({ name: fc.nat({ max: 30 }), zone, held: fc.nat({ max: 9 }), state }), {
    minLength: 1,
    maxLength: 9,
    selector: ({ name }) => name,
  })
  .map((workers) => workers.map(({ name, ...rest }) => ({ id: `w${name}` as WorkerId, ...rest })));
const vacancy = fc
  .record({ name: fc.nat({ max: 99 }), zone, avoid: fc.uniqueArray(fc.nat({ max: 30 })) })
  .map(
    ({ name, zone, avoid }): Vacancy => ({
      id: `j${name}` as JobsetId,
      zone,
      avoid: avoid.map((other) => `w${other}` as WorkerId),
    }),
  );

type Pool = readonly (Candidate & { readonly held: number })[];

const ranks = (workers: Pool, vacancy: Vacancy) => {
  const held = new Map(workers.map(({ id, held }) => [id, held]));
  const heldBy = (id: WorkerId) => held.get(id) ?? 0;
  return workers.map((me) => ({
    ...me,
    rank: rankOf(vacancy, fieldOf(me, { candidates: workers, heldBy })),
  }));
};

const always = (holds: (workers: Pool, vacancy: Vacancy) => void): void =>
  fc.assert(fc.property(pool, vacancy, holds));

it('gives each one that may run it a rank of its own, from the first to the last', () =>
  always((workers, vacancy) => {
    const given = ranks(workers, vacancy).flatMap(({ rank }) => (rank === null ? [] : [rank]));
    expect(given.sort((a, b) => a - b)).toEqual(given.map((_, place) => place));
  }));

it('gives none to those of another zone, and to nobody else', () =>
  always((workers, vacancy) => {
    for (const { zone, rank } of ranks(workers, vacancy))
      expect(rank === null).toBe(vacancy.zone !== null && vacancy.zone !== zone);
  }));

it('lets those that could not reach its endpoints try last', () =>
  always((workers, vacancy) => {
    const given = ranks(workers, vacancy).filter(({ rank }) => rank !== null);
    const inOrder = given.sort((a, b) => (a.rank ?? 0) - (b.rank ?? 0));
    const avoided = inOrder.map(({ id }) => vacancy.avoid.includes(id));
    expect(avoided).toEqual(avoided.toSorted());
  }));

it('does not depend on the order in which workers are known', () =>
  always((workers, vacancy) => {
    const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
    const backwards = ranks(workers.toReversed(), vacancy).sort(byId);
    expect(backwards).toEqual(ranks(workers, vacancy).sort(byId));
  }));
