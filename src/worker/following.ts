/** The three watches from which a worker knows the pool: ledger → **following** → sightings, members. */

import { follow } from '../shared/coordination/feed.ts';
import type { Ledger } from '../shared/coordination/ledger.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { Log } from '../shared/runtime/log.ts';
import type { Random } from '../shared/runtime/random.ts';
import type { Members } from './members.ts';
import type { Sightings } from './sightings.ts';

export interface FollowingOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly ledger: Ledger;
  readonly sightings: Sightings;
  readonly members: Members;
}

/** Resolves when the signal has aborted. */
export const followLedger = async (
  { clock, random, log, ledger, sightings, members }: FollowingOptions,
  signal: AbortSignal,
): Promise<void> => {
  const { store, keys } = ledger;
  const onInterrupted = (err: unknown) => log.debug('the ledger is not followed', { err });
  const known = () => sightings.newest;
  const feeds = [
    {
      prefix: keys.owners,
      onSnapshot: sightings.ownersAre.bind(sightings),
      onChanges: sightings.ownersChanged.bind(sightings),
      onGap: () => sightings.ownersMissed(),
    },
    {
      prefix: keys.jobsets,
      onSnapshot: sightings.jobsetsAre.bind(sightings),
      onChanges: sightings.jobsetsChanged.bind(sightings),
      onGap: () => sightings.jobsetsMissed(),
    },
    {
      prefix: keys.workers,
      onSnapshot: members.membersAre.bind(members),
      onChanges: members.membersChanged.bind(members),
    },
  ];
  await Promise.all(
    feeds.map((feed) => follow({ store, clock, random, known, onInterrupted, ...feed }, signal)),
  );
};
