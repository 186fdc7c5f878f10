/** The size of the pool as its leaders say it: one alarm an episode, whichever of them lead. */

import { beforeEach, describe, expect, it } from 'vitest';
import type { Fleet } from '../../../src/admin/fleet.ts';
import { Scaling } from '../../../src/admin/scaling.ts';
import type { Term } from '../../../src/shared/coordination/election.ts';
import type { Entry } from '../../../src/shared/coordination/kv.ts';
import { MemoryStore } from '../../../src/shared/coordination/kv-memory.ts';
import { decodeScaling } from '../../../src/shared/coordination/records.ts';
import type { JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';
import type { ScalingEmission } from '../../../src/shared/domain/delivery.ts';
import type { Jobset, ScalingRecord, WaitReason } from '../../../src/shared/domain/jobset.ts';
import { SCALING_METRICS } from '../../../src/shared/domain/metrics.ts';
import { silentLog } from '../../../src/shared/runtime/log.ts';
import { NO_LOAD } from '../../support/builders.ts';
import { type Fault, FaultyStore } from '../../support/faulty-store.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { namedCheck, writtenLedger } from '../../support/written-ledger.ts';

const NOON = Date.UTC(2026, 0, 1, 12);

let clock: ManualClock;
let store: MemoryStore;
let ledger: ReturnType<typeof writtenLedger>;
let workers: Map<WorkerId, Fleet['workers'] extends ReadonlyMap<WorkerId, infer W> ? W : never>;
let waiting: Map<JobsetId, Jobset>;
/** By all leaders together, as the sinks got it. */
let announced: (ScalingEmission & { readonly second: number })[];

beforeEach(() => {
  clock = new ManualClock(NOON);
  store = new MemoryStore({ clock });
  ledger = writtenLedger(store);
  workers = new Map();
  waiting = new Map();
  announced = [];
});

const now = (): number => (clock.now() - NOON) / 1_000;

const works = (id: string, places: number): void => {
  workers.set(id as WorkerId, {
    record: {
      id: id as WorkerId,
      state: 'up',
      capacity: { places: 100, jobs: null },
      host: id,
      version: '1',
      zone: null,
      listen: null,
      started: NOON,
    },
    revision: 1,
    since: 0,
    beat: { seq: 1, at: NOON, owned: 1, checks: 9, load: { ...NO_LOAD, places } },
    stuckBeats: 0,
    holds: new Set(),
    jobs: 9,
    coming: 0,
    going: 0,
  });
};

const waits = async (id: string, checks: readonly string[], reason: WaitReason = 'late') => {
  const by = 'w1' as WorkerId;
  const place = { reason, since: clock.now(), by, load: 30 };
  await ledger.jobset(id, checks, { waiting: place });
  waiting.set(id as JobsetId, {
    id: id as JobsetId,
    source: 'folder',
    jobs: checks.map((key) => namedCheck(key).id),
    digest: '',
    chunks: 1,
    zone: null,
    avoid: [],
    moveTo: null,
    waiting: place,
  });
};

/** A process that leads from now on; whoever led before finds its term over. */
const leader = async (seed: number) => {
  const network = new FaultyStore(store);
  const { revision } = await ledger.leads(`admin-${seed}`);
  const term: Term = { condition: { key: ledger.keys.leader, modRevision: revision } };
  const scaling = new Scaling({
    store: network,
    keys: ledger.keys,
    clock,
    random: seededRandom(seed),
    log: silentLog,
    settings: { pool: 'p', waitingGraceMs: 10_000 },
    announce: (emission) => announced.push({ ...emission, second: now() }),
  });
  const fleet = {
    workers,
    waiting,
    jobsets: new Map(),
    ordered: new Set(),
    jobs: 0,
  } as unknown as Fleet;
  /** As the steering does it. */
  const leads = async (seconds: number): Promise<void> => {
    for (let half = 0; half < 2 * seconds; half += 1) {
      scaling.update(fleet, term);
      await clock.advance(500);
    }
  };
  return { network, scaling, leads, fleet, term };
};

const events = () =>
  announced.flatMap(({ event, second }) => (event ? [[second, event.change] as const] : []));

const stored = async (): Promise<ScalingRecord | null> => {
  const { entries } = await store.snapshot(ledger.keys.scaling);
  return entries[0] === undefined ? null : decodeScaling(entries[0] as Entry);
};

describe('the level', () => {
  it('is told at once, and then each minute, as metrics of the pool and as a record', async () => {
    works('w1', 42);
    const { leads } = await leader(1);
    await leads(180);
    expect(announced.map(({ second }) => Math.round(second))).toEqual([1, 61, 121]);
    const [first] = announced;
    expect(first).toMatchObject({ kind: 'scaling', pool: 'p', at: NOON + 500, event: null });
    const values = Object.fromEntries(first?.samples.map(({ name, value }) => [name, value]) ?? []);
    expect(values).toEqual({
      'watcher.scaling.capacity_utilization': 42,
      'watcher.scaling.workers': 1,
      'watcher.scaling.desired_workers': 1,
      'watcher.scaling.waiting_jobs': 0,
      'watcher.scaling.oldest_waiting': 0,
      'watcher.scaling.quarantined_jobs': 0,
      'watcher.scaling.limit_hit': 0,
      'watcher.scaling.futile': 0,
    });
    expect(first?.samples.every(({ labels }) => labels['pool'] === 'p')).toBe(true);
    expect(await stored()).toMatchObject({ workers: 1, desiredWorkers: 1, episode: null });
  });

  it('has every metric of the pool when something has run', async () => {
    works('w1', 1);
    const [w1] = workers.values();
    if (w1?.beat) Object.assign(w1.beat.load, { latenessP99Ms: 7 });
    const { leads } = await leader(1);
    await leads(1);
    expect(announced[0]?.samples.map(({ name }) => name)).toEqual(SCALING_METRICS);
  });

  it('is told at once when more workers are needed, and never twice in ten seconds', async () => {
    works('w1', 42);
    const { leads } = await leader(1);
    await leads(20);
    announced = [];
    for (const places of [90, 150, 230]) {
      works('w1', places);
      await leads(2);
    }
    await leads(20);
    const told = announced.map(({ samples, second }) => [
      second,
      samples.find(({ name }) => name.endsWith('desired_workers'))?.value,
    ]);
    expect(told).toEqual([
      [20, 2],
      [30, 4],
    ]);
  });

  it('is told within ten seconds of any change of the queue', async () => {
    works('w1', 42);
    const { leads } = await leader(1);
    await leads(20);
    announced = [];
    await waits('js-1', ['a/x']);
    await leads(11);
    await waits('js-2', ['b/x', 'b/y']);
    await leads(11);
    const told = announced.map(({ samples }) =>
      samples.find(({ name }) => name.endsWith('waiting_jobs')),
    );
    // The second one tells that the limit is hit.
    expect(told.map((sample) => sample?.value)).toEqual([1, 1, 3]);
  });

  it('is told within ten seconds of a quarantine, and of a host for which no worker would help', async () => {
    works('w1', 42);
    const { leads } = await leader(1);
    await leads(20);
    announced = [];
    const told = () =>
      announced.map(({ samples }) =>
        ['quarantined_jobs', 'futile'].map(
          (name) => samples.find((sample) => sample.name === `watcher.scaling.${name}`)?.value,
        ),
      );
    await waits('js-2', ['b/x'], 'quarantined');
    await leads(11);
    expect(told()).toEqual([[1, 0]]);
    const slowHosts = [{ host: 'tarpit.example', load: 128, waiting: 72 }];
    const [w1] = workers.values();
    if (w1?.beat) Object.assign(w1.beat.load, { slowHosts });
    await leads(11);
    expect(told()).toEqual([
      [1, 0],
      [1, 1],
    ]);
    expect((await stored())?.futile?.hosts).toEqual(['tarpit.example']);
  });

  it('is that of this process only while it leads', async () => {
    works('w1', 42);
    const { leads, scaling } = await leader(1);
    expect(scaling.level).toBeNull();
    await leads(1);
    expect(scaling.level).toMatchObject({ workers: 1 });
    scaling.over();
    expect(scaling.level).toBeNull();
  });
});

describe('scaling limit hit', () => {
  beforeEach(() => works('w1', 95));

  it('is told once, with the jobs and the workers that are missing, and cleared once', async () => {
    const { leads } = await leader(1);
    await leads(5);
    await waits('js-2', ['b/x', 'b/y']);
    await clock.advance(1);
    await waits('js-3', ['c/x', 'c/y', 'c/z']);
    await leads(100);
    waiting.clear();
    await leads(200);
    const [raised, cleared] = announced.flatMap(({ event }) => event ?? []);
    expect(events().map(([second, change]) => [Math.round(second), change])).toEqual([
      [15, 'raised'],
      [165, 'cleared'],
    ]);
    expect(raised).toMatchObject({
      waitingJobs: 5,
      workers: 1,
      desiredWorkers: 3,
      jobs: ['b/x', 'b/y', 'c/x', 'c/y', 'c/z'],
    });
    expect(cleared).toMatchObject({ episode: raised?.episode, raisedAt: raised?.raisedAt });
  });

  it('stands in the record, and in the metrics, for as long as it lasts', async () => {
    const { leads } = await leader(1);
    await waits('js-2', ['b/x']);
    await leads(20);
    const { episode } = (await stored()) ?? {};
    expect(episode).toMatchObject({ jobs: 1, raisedAt: NOON + 10_000 });
    const hits = () => announced.at(-1)?.samples.find(({ name }) => name.endsWith('limit_hit'));
    expect(hits()).toMatchObject({ value: 1 });
    waiting.clear();
    await leads(70);
    expect((await stored())?.episode).toBeNull();
    expect(hits()).toMatchObject({ value: 0 });
  });

  it('is not raised for jobs in quarantine, which are counted by themselves', async () => {
    const { leads } = await leader(1);
    await waits('js-2', ['b/x', 'b/y'], 'quarantined');
    await leads(100);
    expect(events()).toEqual([]);
    expect(announced.at(-1)?.samples).toContainEqual(
      expect.objectContaining({ name: 'watcher.scaling.quarantined_jobs', value: 2 }),
    );
  });

  it('goes on under the next leader, which neither raises it again nor forgets to clear it', async () => {
    const first = await leader(1);
    await waits('js-2', ['b/x']);
    await first.leads(30);
    const second = await leader(2);
    await second.leads(60);
    waiting.clear();
    await second.leads(20);
    const third = await leader(3);
    await third.leads(100);
    expect(events().map(([, change]) => change)).toEqual(['raised', 'cleared']);
    const episodes = new Set(announced.flatMap(({ event }) => event?.episode ?? []));
    expect(episodes.size).toBe(1);
  });

  it('is not told in a day at 80 % of all that the workers can take', async () => {
    for (const id of ['w1', 'w2', 'w3']) works(id, 80);
    const { scaling, fleet, term } = await leader(1);
    for (let second = 0; second < 86_400; second += 30) {
      scaling.update(fleet, term);
      await clock.advance(30_000);
    }
    expect(events()).toEqual([]);
    expect(scaling.level).toMatchObject({ capacityUtilization: 80, desiredWorkers: 4 });
  });

  it('is not told by a leader whose term is over', async () => {
    const first = await leader(1);
    await first.leads(1);
    const second = await leader(2);
    await waits('js-2', ['b/x']);
    await Promise.all([first.leads(1), second.leads(1)]);
    announced = [];
    await first.leads(60);
    expect(announced).toEqual([]);
  });

  it.each<Fault>(['request', 'answer', 'repeated'])(
    'is told once although the %s of its record is lost',
    async (fault) => {
      const { leads, network } = await leader(1);
      let lost = 0;
      network.nextFault = (then) => {
        const isRecord = then.some((one) => one.kind === 'put');
        if (!isRecord || now() < 5 || lost >= 2) return null;
        lost += 1;
        return fault;
      };
      await waits('js-2', ['b/x']);
      await leads(50);
      expect(lost).toBeGreaterThan(0);
      expect(events().map(([, change]) => change)).toEqual(['raised']);
      const { episode } = (await stored()) ?? {};
      expect(announced.find(({ event }) => event)?.event?.episode).toBe(episode?.id);
    },
  );

  it('waits for a store that is away', async () => {
    const { leads, network } = await leader(1);
    await leads(1);
    network.cut = true;
    await waits('js-2', ['b/x']);
    await leads(40);
    expect(events()).toEqual([]);
    network.heal();
    await leads(3);
    expect(events()).toHaveLength(1);
  });

  it('is raised over a record that cannot be read, which is written anew', async () => {
    await ledger.put(ledger.keys.scaling, Buffer.from('{"v":7}'));
    const { leads } = await leader(1);
    await waits('js-2', ['b/x']);
    await leads(20);
    expect(events()).toHaveLength(1);
    expect((await stored())?.episode).not.toBeNull();
  });
});
