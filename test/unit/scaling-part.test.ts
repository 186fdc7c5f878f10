/** The size of the pool on its way out of the process: sinks, metrics, hook, self report. */

import { mkdtempDisposable, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it, vi } from 'vitest';
import type { Ground } from '../../src/ground.ts';
import { openScaling, shortageIn } from '../../src/scaling-part.ts';
import type { Term } from '../../src/shared/coordination/election.ts';
import { MemoryStore } from '../../src/shared/coordination/kv-memory.ts';
import type { JobsetId, WorkerId } from '../../src/shared/domain/check.ts';
import type { ScalingEmission } from '../../src/shared/domain/delivery.ts';
import type { EtcdSettings } from '../../src/shared/domain/pool-settings.ts';
import { silentLog } from '../../src/shared/runtime/log.ts';
import { Meter } from '../../src/shared/runtime/meter.ts';
import { createSecrets } from '../../src/shared/secrets/resolve.ts';
import { ALONE } from '../support/alone.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { writtenLedger } from '../support/written-ledger.ts';

const ETCD: EtcdSettings = { endpoints: ['http://127.0.0.1:2379'], tls: null, auth: null };

const aProcess = async (etcd: EtcdSettings | null, command: string | null = null) => {
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const store = new MemoryStore({ clock });
  const ledger = writtenLedger(store);
  const meter = new Meter();
  const reported: ScalingEmission[] = [];
  const stack = new AsyncDisposableStack();
  const ground = {
    clock,
    store,
    keys: ledger.keys,
    meter,
    random: seededRandom(1),
    log: silentLog,
    pool: { ...ALONE, etcd, scaling: { ...ALONE.scaling, pool: 'p', command, waitingGraceMs: 0 } },
    connectTo: [],
    env: process.env,
    secrets: createSecrets({ clock, env: {} }),
    redact: (text: string) => text,
    outlets: { router: { report: (emission: ScalingEmission) => reported.push(emission) } },
  } as unknown as Ground;
  const scaling = openScaling(ground, stack);
  const { revision } = await ledger.leads('admin-1');
  const term: Term = { condition: { key: ledger.keys.leader, modRevision: revision } };
  const by = 'w1' as WorkerId;
  const waiting = { reason: 'late', since: clock.now(), by, load: 1 } as const;
  const jobset = { id: 'js-1' as JobsetId, jobs: ['a'], waiting };
  const fleet = { workers: new Map(), waiting: new Map([[jobset.id, jobset]]) } as never;
  const leads = async (seconds: number) => {
    for (let second = 0; second < seconds; second += 1) {
      scaling.update(fleet, term);
      await clock.advance(1_000);
    }
  };
  const shown = () => meter.samples('watcher.scaling.limit_hit');
  return { scaling, leads, reported, shown, end: () => clock.until(stack.disposeAsync()) };
};

it('goes to the sinks of a pool, and is shown on /metrics by the leader alone', async () => {
  const { scaling, leads, reported, shown, end } = await aProcess(ETCD);
  expect(shown()).toEqual([]);
  await leads(5);
  expect(reported.map(({ event }) => event?.change)).toEqual(['raised']);
  expect(shown()).toEqual([{ labels: { pool: 'p' }, value: 1 }]);
  scaling.over();
  expect(shown()).toEqual([]);
  await end();
});

it('is no news of a process that is alone, though its API has it', async () => {
  const { scaling, leads, reported, end } = await aProcess(null, 'exit 1');
  await leads(5);
  expect(reported).toEqual([]);
  expect(scaling.level?.episode).not.toBeNull();
  await end();
});

it('runs the hook when the limit is hit, and once only', async () => {
  await using folder = await mkdtempDisposable(path.join(tmpdir(), 'watcher-scaling-'));
  const file = path.join(folder.path, 'runs');
  const { leads, end } = await aProcess(ETCD, `echo >> ${file}`);
  const runs = async () => (await stat(file).catch(() => null))?.size ?? 0;
  await leads(5);
  await vi.waitFor(async () => expect(await runs()).toBe(1), 10_000);
  await leads(90);
  await end();
  expect(await runs()).toBe(1);
});

it('is in the self report for as long as the limit is hit', async () => {
  const { scaling, leads, end } = await aProcess(ETCD);
  expect(shortageIn(scaling.level)).toEqual({ shortage: null, quarantined: 0 });
  await leads(5);
  expect(shortageIn(scaling.level)).toEqual({
    shortage: '1 job waits for a worker with room, the first for 4 s; 0 workers, 1 needed',
    quarantined: 0,
  });
  await end();
});
