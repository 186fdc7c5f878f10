/**
 * Lives one world from a seed: storm, calm, storm, calm … A storm is a handful of faults; in a calm
 * everything works again, and after a while every check must be run plainly and on time. What must hold
 * at all times is looked at all the time.
 */

import { seededRandom } from '../support/seeded-random.ts';
import { BLIND_MS } from './circumstances.ts';
import { aStorm, FAULT_KINDS, type Fault, type FaultKind, healAll, strike } from './faults.ts';
import { requireSettled } from './inspection.ts';
import { type Violation, World } from './world.ts';

export interface LifeOptions {
  readonly seed: number;
  readonly minutes: number;
  /** Kinds of faults that may happen; all by default. */
  readonly kinds?: readonly FaultKind[];
  /** Hears of everything that happens. */
  readonly tell?: (line: string) => void;
}

export interface Life {
  readonly seed: number;
  readonly violations: readonly Violation[];
  readonly faults: readonly Fault[];
  /** The same seed gives the same one. */
  readonly hash: number;
  readonly simulatedMs: number;
  readonly counts: Readonly<Record<string, number>>;
}

/** Claims that failed, for each that did not, and a few: workers that see the same try in turn. */
const MOST_FAILED = 1.5;
const SOME_FAILED = 20;
/** Until everything is as it should be after all faults have ended, the slowest run too. */
const SETTLING_MS = 30_000;
/** By then there is a leader. */
const ELECTED_MS = 10_000;
/** What runs once a minute needs some runs to be known as quick again. */
const REST_MS = 600_000;
const LOOK_MS = 5_000;
/** Of a storm, after its last fault. */
const PASSING_MS = 5000;
/** Runs must be late a few times before anything is done about it. */
const OVERLOADED_MS = 180_000;
const CALM_MS = 45_000;
/** Runs of the last ticks may still be going on. */
const TAIL_MS = 15_000;

export const live = async ({
  seed,
  minutes,
  kinds = FAULT_KINDS,
  tell,
}: LifeOptions): Promise<Life> => {
  const world = new World(seed, tell);
  const crashed = (error: unknown) => world.report('crash', `${(error as Error).stack}`);
  process.on('unhandledRejection', crashed);
  const random = seededRandom(seed ^ 0x5bd1e995);
  const faults: Fault[] = [];
  await world.begin(4 + Math.floor(random.next() * 10));
  let calmFrom = await calm(world, SETTLING_MS);
  while (world.now < minutes * 60_000 && world.violations.length === 0) {
    const storm = aStorm(random, world.now, kinds);
    faults.push(...storm);
    world.beginStorm();
    for (const fault of storm) {
      await world.clock.advance(fault.at - world.now);
      world.tell(`fault ${JSON.stringify(fault)}`);
      await strike(world, fault);
    }
    const isLong = storm.some(({ kind }) => kind === 'overload');
    await world.clock.advance((isLong ? OVERLOADED_MS : PASSING_MS) * random.next());
    world.tell('healed');
    await healAll(world);
    world.endStorm();
    const isBlind = storm.some(({ kind }) => kind === 'lossyWatch');
    calmFrom = await calm(world, isBlind ? BLIND_MS : SETTLING_MS);
  }
  process.off('unhandledRejection', crashed);
  if (world.failedClaims > MOST_FAILED * world.ownership.claims + SOME_FAILED)
    world.report('I17', `${world.failedClaims} claims failed, ${world.ownership.claims} did not`);
  const { accounts, ownership, violations, hash } = world;
  return {
    seed,
    violations,
    faults: faults.filter(({ at }) => at <= calmFrom),
    hash,
    simulatedMs: world.now,
    counts: {
      results: accounts.results,
      duplicates: accounts.duplicates,
      missing: accounts.missing,
      claims: ownership.claims,
      failedClaims: world.failedClaims,
      mostDeaths: world.targets.mostDeaths,
      raised: world.shortage.raised,
    },
  };
};

/** Everything works: it settles, then nothing may be late, and what came before is judged. */
const calm = async (world: World, settlingMs: number): Promise<number> => {
  await world.clock.advance(ELECTED_MS);
  world.confirmFolder();
  await world.clock.advance(settlingMs - ELECTED_MS);
  for (let ms = 0; !world.isAtRest && ms < REST_MS; ms += LOOK_MS) {
    world.release();
    await world.clock.advance(LOOK_MS);
  }
  world.circumstances.endCrowd();
  const from = world.now;
  requireSettled(world);
  await world.clock.advance(CALM_MS);
  requireSettled(world);
  world.accounts.judge(world.now - TAIL_MS, from);
  return world.now;
};
