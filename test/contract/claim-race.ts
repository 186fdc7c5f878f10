/** Many claimants of one jobset on one store: each round one of them may win, and all must know who. */

import { Keys } from '../../src/shared/coordination/keys.ts';
import type { KeyValueStore } from '../../src/shared/coordination/kv.ts';
import {
  type Claim,
  type ClaimOutcome,
  Ledger,
  ownerIn,
  type Registration,
  type Sight,
} from '../../src/shared/coordination/ledger.ts';
import { Publishing } from '../../src/shared/coordination/publishing.ts';
import type { JobsetId, WorkerId } from '../../src/shared/domain/check.ts';
import { WatcherError } from '../../src/shared/domain/errors.ts';
import type { WorkerRecord } from '../../src/shared/domain/jobset.ts';
import { systemClock } from '../../src/shared/runtime/clock.ts';
import { systemRandom } from '../../src/shared/runtime/random.ts';
import { aCheck } from '../support/builders.ts';

export interface ClaimRaceOptions {
  /** One for each claimant. */
  readonly stores: readonly KeyValueStore[];
  readonly rounds: number;
  /** Called once a round, while the claims are under way. */
  readonly disturb?: () => void;
}

export interface ClaimRaceOutcome {
  /** Rounds after which the jobset was owned by one who knew it, and by nobody else's account. */
  readonly decided: number;
  /** Rounds after which it had an owner who never heard of it, or none. */
  readonly undecided: number;
  /** Claims whose claimant never heard whether they had been written. */
  readonly unknown: number;
  /** Two winners, or one that does not own it. */
  readonly violations: readonly string[];
}

const JOBSET = 'raced-for' as JobsetId;
export const KEYS = new Keys('/claim-race/');
const TTL_MS = 60_000;
const RENEWED_EACH_ROUNDS = 20;

export interface Claimant {
  readonly ledger: Ledger;
  readonly registration: Registration;
}

export const claimRace = async (options: ClaimRaceOptions): Promise<ClaimRaceOutcome> => {
  const { stores, rounds, disturb } = options;
  const [first] = stores;
  if (first === undefined) throw new Error('no claimant');
  await publish(first, JOBSET);
  const claimants = await Promise.all(stores.map(join));
  const violations: string[] = [];
  const count = { decided: 0, undecided: 0, unknown: 0 };
  for (let round = 0; round < rounds; round += 1) {
    if (round % RENEWED_EACH_ROUNDS === 0) await renewAll(claimants);
    const seen = await sightBy(claimants);
    const claims = Promise.all(
      claimants.map(({ ledger, registration }) =>
        ledger.claim(JOBSET, seen, registration).catch(unknownOutcome),
      ),
    );
    disturb?.();
    const outcomes = await claims;
    const after = await sightBy(claimants);
    count.unknown += outcomes.filter((outcome) => outcome === null).length;
    const violation = violationIn(outcomes, claimants, after);
    if (violation !== null) violations.push(`round ${round}: ${violation}`);
    else if (outcomes.some((outcome) => outcome?.claimed)) count.decided += 1;
    else count.undecided += 1;
    await vacate(claimants, after);
  }
  for (const { registration } of claimants)
    await registration.lease.revoke().catch(() => undefined);
  await withdraw(first, JOBSET);
  return { ...count, violations };
};

export const publish = async (store: KeyValueStore, id: JobsetId): Promise<void> => {
  const isPublished = await new Publishing({ store, keys: KEYS }).replace(
    {
      old: null,
      id,
      source: 'folder',
      zone: null,
      digest: 'digest',
      definitions: [aCheck('raced.for')],
    },
    { condition: { key: 'nobody/leads', modRevision: 0 } },
  );
  if (!isPublished) throw new Error('not published');
};

const withdraw = async (store: KeyValueStore, id: JobsetId): Promise<void> => {
  const keys = [KEYS.jobset(id), KEYS.owner(id), KEYS.checkpoint(id), KEYS.chunk(id, 0)];
  await again(() =>
    store.commit(
      [],
      keys.map((key) => ({ kind: 'delete', key }) as const),
    ),
  );
};

export const join = async (store: KeyValueStore, n: number): Promise<Claimant> => {
  const ledger = new Ledger({ store, keys: KEYS, clock: systemClock, random: systemRandom });
  const record: WorkerRecord = {
    id: `claimant-${n}` as WorkerId,
    state: 'up',
    capacity: { places: 256, jobs: null },
    host: 'host',
    version: '0',
    zone: null,
    listen: null,
    started: 0,
  };
  return { ledger, registration: await ledger.register(record, await store.lease(TTL_MS)) };
};

const renewAll = (claimants: readonly Claimant[]): Promise<unknown> =>
  Promise.all(claimants.map(({ registration }) => again(() => registration.lease.renew())));

const unknownOutcome = (error: unknown): null => {
  if (error instanceof WatcherError && error.code === 'WCH_STORE_UNAVAILABLE') return null;
  throw error;
};

/** Until the network lets it through. */
const again = async <T>(call: () => Promise<T>): Promise<T> => {
  for (;;) {
    const answer = await call().then((value) => ({ value }), unknownOutcome);
    if (answer !== null) return answer.value;
  }
};

const sightBy = ([claimant]: readonly Claimant[]): Promise<Sight> =>
  again(async () => {
    if (claimant === undefined) throw new Error('no claimant');
    const { reads, revision } = await claimant.ledger.store.commit(
      [],
      [
        { kind: 'get', key: KEYS.owner(JOBSET) },
        { kind: 'get', key: KEYS.jobset(JOBSET) },
      ],
    );
    const [own, jobset] = [reads[0]?.[0], reads[1]?.[0]];
    return {
      revision: jobset?.modRevision ?? 0,
      ownRevision: own?.modRevision ?? 0,
      owner: own === undefined ? null : ownerIn(own),
      at: revision,
    };
  });

/** `outcomes` stand in the order of the claimants; null is one that is unknown. */
const violationIn = (
  outcomes: readonly (ClaimOutcome | null)[],
  claimants: readonly Claimant[],
  after: Sight,
): string | null => {
  const idOf = (i: number) => claimants[i]?.registration.worker.id;
  const winners = outcomes.flatMap((outcome, i) => (outcome?.claimed ? [idOf(i)] : []));
  const [winner] = winners;
  if (winners.length > 1) return `${winners.join(' and ')} have won`;
  if (winner !== undefined && winner !== after.owner)
    return `${winner} won, ${after.owner} owns it`;
  const isKnown = outcomes.some((outcome, i) => outcome !== null && idOf(i) === after.owner);
  if (winner === undefined && isKnown)
    return `${after.owner} owns it and was told that it does not`;
  const tokens = outcomes.flatMap((outcome) => outcome?.claimed?.claim.token ?? []);
  if (tokens.some((token) => token !== after.ownRevision)) return 'the token is another one';
  return null;
};

const vacate = async (claimants: readonly Claimant[], sight: Sight): Promise<void> => {
  const owner = claimants.find(({ registration }) => registration.worker.id === sight.owner);
  const { ownRevision: token, revision } = sight;
  const claim: Claim = { jobset: JOBSET, token, revision };
  await again(async () => owner?.ledger.release(claim, null));
};
