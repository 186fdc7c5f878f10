/** What a worker does about a jobset, for any picture of it, late or not. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Sight } from '../../../src/shared/coordination/ledger.ts';
import type { WorkerId } from '../../../src/shared/domain/check.ts';
import {
  type ClaimerState,
  type Holding,
  mayClaim,
  moveFor,
} from '../../../src/worker/claiming.ts';

const ME = 'me' as WorkerId;
const OTHER = 'other' as WorkerId;
const revision = fc.integer({ min: 1, max: 20 });

/** An owner's record is at most as new as the picture of it. */
const sight: fc.Arbitrary<Sight> = fc
  .record({
    revision: fc.option(revision, { nil: 0 }),
    at: revision,
    age: fc.nat({ max: 5 }),
    owner: fc.constantFrom(null, ME, OTHER),
    isAbsent: fc.boolean(),
  })
  .map(({ revision, at, age, owner, isAbsent }) =>
    isAbsent
      ? { revision, at, ownRevision: 0, owner: null }
      : { revision, at, ownRevision: Math.max(1, at - age), owner },
  );
const holding: fc.Arbitrary<Holding> = fc.record({
  token: revision,
  revision,
  proven: fc.boolean(),
});

const seen = (sight: Sight) => ({ sight, waits: false, isAnothers: false });

const always = (holds: (sight: Sight, holding: Holding) => void): void =>
  fc.assert(fc.property(sight, holding, holds), { numRuns: 1000 });

it('does nothing about a jobset that is gone but let go of it', () =>
  always((sight, holding) => {
    const gone = { ...sight, revision: 0 };
    expect(moveFor(ME, seen(gone), holding)).toBe('lose');
    expect(moveFor(ME, seen(gone), undefined)).toBe('none');
  }));

it('lets go of what another one has', () =>
  always((sight, holding) => {
    fc.pre(sight.revision > 0 && sight.owner === OTHER);
    fc.pre(!holding.proven || sight.ownRevision !== holding.token);
    expect(moveFor(ME, seen(sight), holding)).toBe('lose');
  }));

it('claims nothing that another one has', () =>
  always((sight, holding) => {
    fc.pre(sight.owner === OTHER);
    expect(moveFor(ME, seen(sight), undefined)).toBe('none');
    expect(moveFor(ME, seen(sight), holding)).not.toBe('claim');
  }));

it('lets go of what has been put into the queue, also where its lease ended just then', () =>
  always((sight, holding) => {
    fc.pre(sight.revision > holding.revision && sight.owner === null && !holding.proven);
    expect(moveFor(ME, { ...seen(sight), waits: true }, holding)).toBe('lose');
  }));

it('claims what nobody has', () =>
  always((sight) => {
    fc.pre(sight.revision > 0 && sight.owner === null);
    expect(moveFor(ME, seen(sight), undefined)).toBe('claim');
  }));

it('is at rest once it holds what it sees', () =>
  always((sight) => {
    fc.pre(sight.revision > 0 && sight.owner === ME);
    const held = { token: sight.ownRevision, revision: sight.revision, proven: true };
    expect(moveFor(ME, seen(sight), held)).toBe('none');
  }));

it('takes things on only while it is attached and not on its way out', () =>
  fc.assert(
    fc.property(
      fc.constantFrom<ClaimerState>('claiming', 'draining', 'stopped'),
      fc.boolean(),
      (state, attached) => {
        expect(mayClaim(state, attached)).toBe(state === 'claiming' && attached);
      },
    ),
  ));
