import { beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../../src/shared/coordination/definitions.ts';
import { Keys } from '../../../src/shared/coordination/keys.ts';
import type { Entry } from '../../../src/shared/coordination/kv.ts';
import { MemoryStore } from '../../../src/shared/coordination/kv-memory.ts';
import { type Claim, Ledger, type Registration } from '../../../src/shared/coordination/ledger.ts';
import { Publishing } from '../../../src/shared/coordination/publishing.ts';
import { decodeJobset } from '../../../src/shared/coordination/records.ts';
import type {
  CheckDefinition,
  CheckId,
  JobsetId,
  WorkerId,
} from '../../../src/shared/domain/check.ts';
import type { Jobset } from '../../../src/shared/domain/jobset.ts';
import { Moving } from '../../../src/worker/moving.ts';
import { aCheck } from '../../support/builders.ts';
import { FaultyStore } from '../../support/faulty-store.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const keys = new Keys();
const ID = 'js' as JobsetId;
const ME = 'w1' as WorkerId;
const [a, b, c] = [aCheck('a'), aCheck('b'), aCheck('c')];
const waiting = { reason: 'late', since: 1, by: ME, load: 1 } as const;
const TERM = { condition: { key: 'nobody/leads', modRevision: 0 } };

const aStage = async () => {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const network = new FaultyStore(store);
  const random = seededRandom(1);
  const ledger = new Ledger({ store: network, keys, clock, random });
  const publishing = new Publishing({ store, keys });
  const said: string[] = [];
  const state = {
    claim: null as Claim | null,
    quiet: Promise.resolve(),
    tied: null as CheckId | null,
  };
  const moving = new Moving({
    clock,
    ledger,
    custody: {
      claimOf: () => state.claim,
      setAside: async (_, jobs) => {
        said.push(`aside ${jobs.size}`);
        await state.quiet;
        return { progress: { through: 1, open: [] }, states: {} };
      },
      putBack: (_, jobs) => said.push(`back ${jobs.size}`),
      suspects: (job) => job === state.tied,
    },
  });
  const jobsets = async (): Promise<Jobset[]> => {
    const { entries } = await store.snapshot(keys.jobsets);
    return entries.map((entry) => decodeJobset(keys.jobsetOf(entry.key), entry));
  };
  const publish = async (definitions: readonly CheckDefinition[]): Promise<void> => {
    let old = null;
    for await (const standing of publishing.jobsets()) old = standing;
    const digest = digestOf(definitions);
    const jobset = { old, id: ID, source: 'folder', zone: null, digest, definitions } as const;
    await publishing.replace(jobset, TERM);
  };
  const by: Registration = await ledger.register(
    {
      id: ME,
      state: 'up',
      capacity: { places: 1, jobs: null },
      host: 'h',
      zone: null,
      version: '0',
      listen: null,
      started: 0,
    },
    await store.lease(1_000_000),
  );
  const take = async (): Promise<Claim> => {
    const [jobset, own] = [
      await store.snapshot(keys.jobset(ID)),
      await store.snapshot(keys.owner(ID)),
    ];
    const revisionOf = ([entry]: readonly Entry[]) => entry?.modRevision ?? 0;
    const seen = {
      revision: revisionOf(jobset.entries),
      ownRevision: revisionOf(own.entries),
      owner: null,
      at: 0,
    };
    const { claimed } = await ledger.claim(ID, seen, by);
    if (claimed === null) throw new Error('not claimed');
    return claimed.claim;
  };
  await publish([a, b, c]);
  const claim = await take();
  state.claim = claim;
  const kick = (...checks: readonly CheckDefinition[]) =>
    moving.move(claim, new Set(checks.map(({ id }) => id)), { waiting });
  return { clock, network, ledger, moving, state, said, jobsets, publish, claim, take, kick };
};

let stage: Awaited<ReturnType<typeof aStage>>;
beforeEach(async () => {
  stage = await aStage();
});
const standing = async () =>
  (await stage.jobsets()).map(({ jobs, waiting }) => [jobs.length, waiting?.reason]).sort();
const UNTOUCHED = [[3, undefined]];

describe('jobs that are moved', () => {
  it('stop at once, and go when none of them is running', async () => {
    let end = () => {};
    stage.state.quiet = new Promise((resolve) => {
      end = resolve;
    });
    const moved = stage.kick(a);
    expect(stage.said).toEqual(['aside 1']);
    await stage.clock.advance(10_000);
    expect(await standing()).toEqual(UNTOUCHED);
    end();
    expect(await stage.clock.until(moved)).toBe(true);
    expect(await standing()).toEqual([
      [1, 'late'],
      [2, undefined],
    ]);
    expect(stage.said).toEqual(['aside 1']);
  });

  it('go as a whole when they are all of their jobset', async () => {
    expect(await stage.clock.until(stage.kick(a, b, c))).toBe(true);
    expect(await standing()).toEqual([[3, 'late']]);
  });

  it('are put back when the publisher was quicker', async () => {
    const { revision } = stage.claim;
    await stage.publish([a, b]);
    expect(await stage.clock.until(stage.kick(a))).toBe(false);
    expect(stage.claim.revision).toBe(revision);
    expect(stage.said).toEqual(['aside 1', 'back 1']);
    expect(await standing()).toEqual([[2, undefined]]);
  });

  it('are put back when the publisher comes between reading and writing', async () => {
    let commits = 0;
    stage.network.nextFault = () => {
      commits += 1;
      if (commits === 2) void stage.publish([a, b]);
      return null;
    };
    const moved = stage.kick(a);
    await stage.clock.until(moved);
    expect(stage.said).toEqual(['aside 1', (await moved) ? '' : 'back 1'].filter(Boolean));
    const jobs = (await stage.jobsets()).flatMap((jobset) => jobset.jobs);
    expect(new Set(jobs).size).toBe(jobs.length);
  });

  it.each([
    [
      'answer',
      true,
      [
        [1, 'late'],
        [2, undefined],
      ],
      ['aside 1'],
    ],
    ['request', false, UNTOUCHED, ['aside 1', 'back 1']],
  ] as const)(
    'wait until somebody knows what became of it (%s lost)',
    async (fault, isMoved, left, said) => {
      let commits = 0;
      stage.network.nextFault = () => {
        commits += 1;
        // Reading it, the move, and the first attempts to read it back.
        return commits === 1 ? null : commits === 2 ? fault : commits < 5 ? 'request' : null;
      };
      const moved = stage.kick(a);
      await stage.clock.advance(1);
      expect(stage.said).toEqual(['aside 1']);
      expect(await stage.clock.until(moved)).toBe(isMoved);
      expect(commits).toBe(5);
      expect(await standing()).toEqual(left);
      expect(stage.said).toEqual(said);
    },
  );

  it('run on when the claim cannot be proven any more', async () => {
    let end = () => {};
    stage.state.quiet = new Promise((resolve) => {
      end = resolve;
    });
    const moved = stage.kick(a);
    stage.state.claim = null;
    end();
    expect(await stage.clock.until(moved)).toBe(false);
    expect(await standing()).toEqual(UNTOUCHED);
    expect(stage.said).toEqual(['aside 1', 'back 1']);
  });

  it('do not stop at all when their past would be left behind', async () => {
    stage.state.tied = b.id;
    expect(await stage.kick(a, b)).toBe(false);
    expect(stage.said).toEqual([]);
  });

  it('are those of one decision at a time', async () => {
    const first = stage.kick(a);
    expect(stage.moving.movable(ID)).toBe(null);
    expect(await stage.kick(b)).toBe(false);
    expect(await stage.clock.until(first)).toBe(true);
    expect(stage.said).toEqual(['aside 1']);
    expect(stage.moving.movable(ID)).toEqual(stage.claim);
  });

  it('are none when the worker leaves', async () => {
    stage.moving[Symbol.dispose]();
    expect(stage.moving.movable(ID)).toBe(null);
    expect(await stage.clock.until(stage.kick(a))).toBe(false);
    expect(await standing()).toEqual(UNTOUCHED);
  });
});
