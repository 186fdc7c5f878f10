import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CheckId } from '../../../src/shared/domain/check.ts';
import type { Suspects } from '../../../src/shared/domain/jobset.ts';
import { ALONE_FROM, suspectsAfter } from '../../../src/shared/rules/suspicion.ts';

const JOBS = ['a', 'b', 'c', 'd'] as CheckId[];

/** One owner of a jobset, from its claim to its end. */
interface Term {
  readonly ending: 'dies' | 'hands back';
  /** Runs that had ended by then, and that the ledger knows of. */
  readonly cleared: readonly CheckId[];
  /** Others that had ended by then, so that they are not undone. */
  readonly ended: readonly CheckId[];
  /** Which of those to be run alone was, if any. */
  readonly pick: number;
  readonly lastedMs: number;
}

const aTerm: fc.Arbitrary<Term> = fc.record({
  ending: fc.constantFrom('dies', 'dies', 'dies', 'hands back'),
  cleared: fc.subarray(JOBS),
  ended: fc.subarray(JOBS),
  pick: fc.nat(),
  lastedMs: fc.oneof(fc.nat(60_000), fc.nat(900_000)),
});

const isFree = (jobs: Suspects['jobs'], job: CheckId): boolean =>
  (jobs[job]?.deaths ?? 0) < ALONE_FROM;

/** One jobset from owner to owner, as caution.ts would leave it, and whom one may blame. */
class Life {
  jobs: Suspects['jobs'] = {};
  now = 0;
  /** In how many deaths each has had a part since it was cleared. */
  readonly blamed = new Map<CheckId, number>();

  /** Who is guilty at the end of the term, and who was run alone in it. */
  live(term: Term): { readonly guilty: ReadonlySet<CheckId>; readonly alone: CheckId | undefined } {
    const withheld = JOBS.filter((job) => !isFree(this.jobs, job));
    const alone = withheld[term.pick % (withheld.length + 1)];
    const run = JOBS.filter((job) => isFree(this.jobs, job) || job === alone);
    const undone = new Set(JOBS.filter((job) => ![...term.cleared, ...term.ended].includes(job)));
    const hasDied = term.ending === 'dies';
    if (hasDied) for (const job of run) if (undone.has(job)) this.#blame(job);
    this.now += term.lastedMs;
    const known = this.#known(term, run, alone);
    const { jobs, guilty } = suspectsAfter(known, hasDied ? undone : null, this.now);
    this.jobs = Object.fromEntries(
      Object.entries(jobs).filter(([job]) => !guilty.has(job as CheckId)),
    );
    return { guilty, alone };
  }

  /** What was quarantined, and what is not suspected, starts anew. */
  forgive(): void {
    for (const job of JOBS) if (this.jobs[job] === undefined) this.blamed.delete(job);
  }

  #known(term: Term, run: readonly CheckId[], alone: CheckId | undefined): Suspects['jobs'] {
    const gone = term.cleared.filter((job) => run.includes(job));
    const left = Object.entries(this.jobs).filter(([job]) => !gone.includes(job as CheckId));
    return Object.fromEntries(
      left.map(([job, suspicion]) => [job, { ...suspicion, isTried: job === alone }]),
    );
  }

  #blame(job: CheckId): void {
    this.blamed.set(job, (this.blamed.get(job) ?? 0) + 1);
  }
}

const [KILLER] = JOBS as [CheckId];

/** Of one that kills each worker that runs it: how many it has killed, and whether it was found. */
const killed = (
  picks: readonly number[],
): { readonly deaths: number; readonly isFound: boolean } => {
  let jobs: Suspects['jobs'] = {};
  let deaths = 0;
  for (const pick of picks) {
    const isTried = !isFree(jobs, KILLER) && pick % 2 === 0;
    if (isFree(jobs, KILLER) || isTried) deaths += 1;
    const known = jobs[KILLER];
    const judged = suspectsAfter(
      known ? { [KILLER]: { ...known, isTried } } : {},
      new Set([KILLER]),
      0,
    );
    if (judged.guilty.size > 0) return { deaths, isFound: true };
    ({ jobs } = judged);
  }
  return { deaths, isFound: false };
};

describe('suspicion', () => {
  it('falls on none that did not have three workers die while it was run, the last one alone', () => {
    fc.assert(
      fc.property(fc.array(aTerm, { maxLength: 60 }), (terms) => {
        const life = new Life();
        for (const term of terms) {
          const { guilty, alone } = life.live(term);
          for (const job of guilty) {
            expect(job).toBe(alone);
            expect(life.blamed.get(job)).toBeGreaterThanOrEqual(3);
          }
          life.forgive();
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('finds the one that kills each worker that runs it, after three of them', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 20 }), (picks) => {
        const { deaths, isFound } = killed(picks);
        expect(deaths).toBeLessThanOrEqual(3);
        expect(isFound).toBe(deaths === 3);
      }),
    );
  });
});
