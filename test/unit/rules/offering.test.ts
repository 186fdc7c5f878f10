import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CheckId, WorkerId } from '../../../src/shared/domain/check.ts';
import type { WorkerRecord } from '../../../src/shared/domain/jobset.ts';
import { REASONS, type ReasonCode } from '../../../src/shared/domain/reasons.ts';
import {
  type Finding,
  offerees,
  offerOf,
  type Reach,
  reachOf,
  suggestsUnreachable,
  suspectsSelf,
} from '../../../src/shared/rules/offering.ts';

const aWorker = (n: number, overrides: Partial<WorkerRecord> = {}): WorkerRecord => ({
  id: `w${n}` as WorkerId,
  state: 'up',
  capacity: { places: 256, jobs: null },
  host: 'host',
  version: '0.0.0',
  zone: null,
  listen: null,
  started: 0,
  ...overrides,
});

const w = (n: number): WorkerId => `w${n}` as WorkerId;
const jobs = (...names: readonly string[]): CheckId[] => names as CheckId[];
const pool = [1, 2, 3, 4].map((n) => aWorker(n));
const found = (reach: Reach, ...names: readonly string[]): Finding => ({
  reach,
  jobs: jobs(...names),
});

describe('a failed connection', () => {
  it.each([
    ['refused', 'unreached'],
    ['timeout_connect', 'unreached'],
    ['timeout_tls', 'unreached'],
    ['reset', 'unreached'],
    ['closed', 'unreached'],
    ['host_unreachable', 'unreached'],
    ['dns_not_found', 'unreached'],
    ['checker_no_route', 'unreached'],
    ['tls', 'reached'],
    ['checker_clock', 'reached'],
    ['checker_resolver', 'unsure'],
    ['checker_resources', 'unsure'],
    ['checker_ports', 'unsure'],
    ['checker_blocked', 'unsure'],
    ['checker_settings', 'unsure'],
    ['address_refused', 'unsure'],
  ] as const)('with %s means %s', (code, reach) => {
    expect(reachOf(code)).toBe(reach);
  });

  it('makes a worker look whether others do better only where the road may be at fault', () => {
    const codes = (Object.keys(REASONS) as ReasonCode[]).filter(suggestsUnreachable);
    expect(new Set(codes)).toEqual(
      new Set([
        'reset',
        'closed',
        'host_unreachable',
        'timeout_connect',
        'timeout_tls',
        'checker_no_route',
      ]),
    );
    expect(suggestsUnreachable(null)).toBe(false);
  });
});

const findingsOf = (dead: readonly string[]): Finding[] =>
  ['a', 'b', 'c'].map((job) => found(dead.includes(job) ? 'unreached' : 'reached', job));

/** Whoever of the candidates is the quickest; there must be one. */
const takerOf = (candidates: readonly WorkerRecord[], luck: number): WorkerRecord => {
  expect(candidates.length).toBeGreaterThan(0);
  return candidates[luck % candidates.length] as WorkerRecord;
};

describe('an offer', () => {
  const jobset = { zone: null, avoid: [], jobs: jobs('a', 'b', 'c') };

  it('is of the jobs alone whose endpoints are not reached', () => {
    const findings = [found('unreached', 'a', 'b'), found('reached', 'c')];
    expect(offerOf(w(1), jobset, { workers: pool, findings })).toEqual({
      kind: 'split',
      jobs: new Set(jobs('a', 'b')),
    });
  });

  it('is of the whole jobset where none of its endpoints is reached', () => {
    const findings = [found('unreached', 'a', 'b'), found('unreached', 'c')];
    expect(offerOf(w(1), jobset, { workers: pool, findings })).toEqual({ kind: 'handOn' });
  });

  it('is not made where it is our own fault, or not known, that nothing was reached', () => {
    const findings = [found('unsure', 'a', 'b'), found('reached', 'c')];
    expect(offerOf(w(1), jobset, { workers: pool, findings })).toEqual({ kind: 'keep' });
  });

  it('goes to workers that are up, of the zone, and have not been asked', () => {
    const workers = [
      aWorker(1, { zone: 'eu' }),
      aWorker(2, { zone: 'eu' }),
      aWorker(3, { zone: 'us' }),
      aWorker(4, { zone: 'eu', state: 'draining' }),
      aWorker(5, { zone: 'eu' }),
    ];
    const ids = offerees(w(1), { zone: 'eu', avoid: [w(5)] }, workers).map(({ id }) => id);
    expect(ids).toEqual(['w2']);
  });

  it('is made to two others at most, and by each once', () => {
    expect(offerees(w(3), { zone: null, avoid: [w(1)] }, pool)).not.toEqual([]);
    expect(offerees(w(3), { zone: null, avoid: [w(1), w(2)] }, pool)).toEqual([]);
    expect(offerees(w(1), { zone: null, avoid: [w(1)] }, pool)).toEqual([]);
  });

  it('stops after two hops, never goes to nobody, and loses no job, whoever comes and goes', () => {
    const worker = fc.record({
      n: fc.integer({ min: 1, max: 6 }),
      state: fc.constantFrom('up' as const, 'draining' as const),
      zone: fc.constantFrom(null, 'eu', 'us'),
    });
    const round = fc.record({
      workers: fc.uniqueArray(worker, { selector: ({ n }) => n, maxLength: 6 }),
      /** Which of those that may claim does. */
      luck: fc.nat(),
      dead: fc.uniqueArray(fc.constantFrom('a', 'b', 'c')),
    });
    const play = fc.record({ zone: fc.constantFrom(null, 'eu'), rounds: fc.array(round) });
    fc.assert(
      fc.property(play, ({ zone, rounds }) => {
        let owner = w(1);
        let offered = { zone, avoid: [] as WorkerId[], jobs: jobs('a', 'b', 'c') };
        for (const { workers, luck, dead } of rounds) {
          const live = workers.map(({ n, ...rest }) => aWorker(n, rest));
          const offer = offerOf(owner, offered, { workers: live, findings: findingsOf(dead) });
          if (offer.kind === 'keep') continue;
          const moved = offer.kind === 'split' ? [...offer.jobs] : offered.jobs;
          expect(moved.length).toBeGreaterThan(0);
          expect(dead).toEqual(expect.arrayContaining(moved));
          const next = takerOf(offerees(owner, offered, live), luck);
          expect(next).not.toMatchObject({ id: owner });
          expect(next.state).toBe('up');
          expect([null, next.zone]).toContain(zone);
          offered = { zone, avoid: [...offered.avoid, owner], jobs: moved };
          owner = next.id;
        }
        expect(offered.avoid.length).toBeLessThanOrEqual(2);
        expect(new Set([...offered.avoid, owner]).size).toBe(offered.avoid.length + 1);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a worker suspects itself', () => {
  const of = (unreached: number, reached: number, unsure = 0) => [
    ...Array.from({ length: unreached }, () => ({ reach: 'unreached' as const })),
    ...Array.from({ length: reached }, () => ({ reach: 'reached' as const })),
    ...Array.from({ length: unsure }, () => ({ reach: 'unsure' as const })),
  ];

  it.each([
    ['more than half of five or more endpoints are not reached', [of(3, 2)], true],
    ['half of them', [of(3, 3)], false],
    ['all of four', [of(4, 0)], false],
    ['what is not known does not count', [of(4, 0, 9)], false],
    ['three jobsets at once', [of(1, 0), of(2, 0), of(1, 0)], true],
    ['two jobsets', [of(1, 0), of(2, 0)], false],
    [
      'three jobsets while as many are reached',
      [1, 1, 1].flatMap(() => [of(1, 0), of(0, 1)]),
      false,
    ],
    ['one endpoint in each of many', [1, 2, 3, 4, 5].map(() => of(1, 9)), false],
    ['nothing dialled', [], false],
  ])('or not: %s', (_, jobsets, suspects) => {
    expect(suspectsSelf(jobsets)).toBe(suspects);
  });

  it('whenever nothing is reached of three jobsets or of five endpoints', () => {
    const endpoints = fc.array(fc.constantFrom('unreached' as const, 'unsure' as const));
    fc.assert(
      fc.property(fc.array(endpoints), (round) => {
        const dead = round.map(
          (reaches) => reaches.filter((reach) => reach === 'unreached').length,
        );
        const isCutOff =
          dead.filter((count) => count > 0).length >= 3 || dead.some((count) => count >= 5);
        const jobsets = round.map((reaches) => reaches.map((reach) => ({ reach })));
        expect(suspectsSelf(jobsets)).toBe(isCutOff);
      }),
    );
  });
});
