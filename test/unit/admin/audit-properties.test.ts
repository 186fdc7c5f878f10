/**
 * Any damage, in any order, with the pool at work meanwhile: the ledger is whole afterwards, and each
 * write of the audit was right at the very revision at which it was made.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judge } from '../../../src/admin/sweep.ts';
import type { Repair } from '../../../src/admin/sweep-repair.ts';
import type { Operation, Revision } from '../../../src/shared/coordination/kv.ts';
import type { Claim, Registration } from '../../../src/shared/coordination/ledger.ts';
import type { JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';
import { WatcherError } from '../../../src/shared/domain/errors.ts';
import { type AuditedLedger, aLedger, meddled, named, TERM } from './auditing.ts';

const JOBSETS = ['j0', 'j1', 'j2', 'j3', 'j4', 'j5'] as JobsetId[];
const WORKERS = ['w0', 'w1', 'w2', 'w3'] as WorkerId[];
const JOBS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

/** What one of them does depends on two numbers, so that a failing run can be cut down. */
type Step = readonly [what: number, x: number, y: number];
const steps = (maxLength: number) =>
  fc.array(fc.tuple(fc.nat(99), fc.nat(99), fc.nat(99)), { maxLength });
const pick = <T>(list: readonly T[], n: number): T => list[n % list.length] as T;

/** The pool at work: every step is one that the protocol allows at any time. */
class Pool {
  readonly #ledger: AuditedLedger;
  readonly #members = new Map<WorkerId, Registration>();
  readonly #claims = new Map<WorkerId, Claim[]>();

  constructor(ledger: AuditedLedger) {
    this.#ledger = ledger;
  }

  async step([what, x, y]: Step): Promise<void> {
    const worker = pick(WORKERS, x);
    const jobset = pick(JOBSETS, y);
    const actions = [
      () => this.#join(worker),
      () => this.#claim(worker, jobset),
      () => this.#beat(worker),
      () => this.#release(worker, y),
      () => this.#die(worker),
      () => this.#publish(jobset, x),
      () => this.#withdraw(jobset),
    ];
    try {
      await pick(actions, what)();
    } catch (error) {
      if (!(error instanceof WatcherError)) throw error;
    }
  }

  async #join(worker: WorkerId): Promise<void> {
    if (!this.#members.has(worker)) this.#members.set(worker, await this.#ledger.join(worker));
  }

  async #claim(worker: WorkerId, jobset: JobsetId): Promise<void> {
    const by = this.#members.get(worker);
    const own = (await this.#ledger.picture()).owners.get(jobset);
    if (!by || (own && own.record?.worker !== null)) return;
    const claim = await this.#ledger.claim(jobset, by);
    if (claim) this.#claims.set(worker, [...(this.#claims.get(worker) ?? []), claim]);
  }

  async #beat(worker: WorkerId): Promise<void> {
    const by = this.#members.get(worker);
    if (by) await this.#ledger.beat(by, this.#claims.get(worker) ?? []);
  }

  async #release(worker: WorkerId, n: number): Promise<void> {
    const claims = this.#claims.get(worker) ?? [];
    const [claim] = claims.splice(n % Math.max(1, claims.length), 1);
    const handover = { progress: { through: n, open: [] }, states: {} };
    if (claim) await this.#ledger.ledger.release(claim, handover);
  }

  async #die(worker: WorkerId): Promise<void> {
    await this.#members.get(worker)?.lease.revoke();
    this.#members.delete(worker);
    this.#claims.delete(worker);
  }

  /** Jobs of its own only: the publisher never gives a job two places. */
  async #publish(jobset: JobsetId, n: number): Promise<void> {
    const { jobsets } = await this.#ledger.picture();
    const elsewhere = new Set(
      [...jobsets].flatMap(([id, { record }]) => (id === jobset ? [] : (record?.jobs ?? []))),
    );
    const own = JOBS.filter((_, i) => (n >> (i % 7)) & 1);
    await this.#ledger.publish(
      jobset,
      named(...own).filter(({ id }) => !elsewhere.has(id)),
    );
  }

  async #withdraw(jobset: JobsetId): Promise<void> {
    const { keys, store } = this.#ledger;
    const about = [keys.jobset(jobset), keys.owner(jobset), keys.checkpoint(jobset)];
    await store.commit(
      [],
      [...about, keys.chunk(jobset, 0)].map((key) => ({ kind: 'delete', key })),
    );
  }
}

/** What other hands do. */
const damage = async (ledger: AuditedLedger, [what, x, y]: Step): Promise<void> => {
  const { keys, put, drop, publish, get, store } = ledger;
  const jobset = pick(JOBSETS, x);
  const worker = pick(WORKERS, y);
  const { id: lease } = await store.lease(1e9);
  const held = { v: 1, worker, nonce: 'n', holdMs: 0 };
  const actions = [
    () => drop(keys.jobset(jobset)),
    () => drop(keys.owner(jobset)),
    () => drop(keys.worker(worker)),
    () => put(keys.owner(jobset), held),
    () => put(keys.owner(jobset), held, lease),
    () => put(keys.owner(jobset), { ...held, worker: null }),
    () => put(keys.checkpoint(jobset), { v: 1, worker, progress: null, states: {} }),
    () => put(keys.progress(worker), { v: 1, through: y, open: [], left: {} }),
    () => publish(jobset, named(pick(JOBS, x + y), pick(JOBS, y), pick(JOBS, x + y))),
    () => publish(jobset, []),
    () => drop(keys.chunk(jobset, 0)),
    async () => {
      const chunk = await get(keys.chunk(jobset, 0));
      if (chunk) await put(keys.chunk(pick(JOBSETS, y), 1 + (y % 3)), chunk.value);
    },
    () => put(pick([keys.jobset(jobset), keys.owner(jobset), keys.progress(worker)], y), 'foreign'),
  ];
  await pick(actions, what)();
};

/** Jobs of jobsets that can be read, as often as they stand there. */
const standing = async (ledger: AuditedLedger): Promise<string[]> => {
  const { jobsets } = await ledger.picture();
  return [...jobsets.values()].flatMap(({ record }) => record?.jobs ?? []).sort();
};

/** Claims that are what they should be, by their key. */
const sound = async (ledger: AuditedLedger): Promise<Map<string, Revision>> => {
  const { owners, workers, jobsets } = await ledger.picture();
  const claims = new Map<string, Revision>();
  for (const [id, { entry, record }] of owners)
    if (record?.worker && entry.lease && workers.has(record.worker) && jobsets.has(id))
      claims.set(entry.key, entry.modRevision);
  return claims;
};

const expectWhole = async (ledger: AuditedLedger): Promise<void> => {
  const jobs = await standing(ledger);
  expect(jobs).toEqual([...new Set(jobs)]);
  const { jobsets, owners, checkpoints, progresses, workers, chunks } = await ledger.picture();
  const strays = (map: ReadonlyMap<JobsetId, { readonly record: unknown }>) =>
    [...map].flatMap(([id, { record }]) => (record !== null && !jobsets.has(id) ? [id] : []));
  expect([strays(owners), strays(checkpoints)]).toEqual([[], []]);
  expect([...chunks.keys()].filter((id) => !jobsets.has(id))).toEqual([]);
  const checkpointed = [...checkpoints.values()].map(({ record }) => record);
  const needed = new Set(checkpointed.map((record) => record?.worker));
  for (const [id, { record }] of progresses)
    if (record !== null && !workers.has(id) && !checkpointed.includes(null))
      expect([...needed]).toContain(id);
  for (const [id, { record }] of jobsets)
    if (record?.jobs.length === 0) expect(owners.get(id)?.record?.worker ?? 'held').not.toBe(null);
};

const shown = (writes: readonly Operation[]): string =>
  JSON.stringify(
    writes.map((write) => [
      write.kind,
      'key' in write && write.key,
      'value' in write && String(write.value),
    ]),
  );

/** Which jobs a doubled one loses depends on claims elsewhere: that it loses some must be right. */
const isThat = ({ reason, key, writes }: Repair, then: readonly Operation[]): boolean =>
  reason === 'job_doubled'
    ? key === (then[0] as { readonly key?: string } | undefined)?.key
    : shown(writes) === shown(then);

describe('the audit of any ledger', () => {
  const RUNS = { numRuns: 300 };

  it('leaves it whole, disturbs no claim that is sound, loses no job, and then finds nothing', async () => {
    await fc.assert(
      fc.asyncProperty(steps(40), steps(8), async (work, damages) => {
        const ledger = aLedger();
        const pool = new Pool(ledger);
        for (const step of work) await pool.step(step);
        for (const step of damages) await damage(ledger, step);
        const jobs = new Set(await standing(ledger));
        const claims = await sound(ledger);
        const audit = ledger.auditOn();
        await audit.sweep(TERM);
        await audit.sweep(TERM);
        await expectWhole(ledger);
        expect(new Set(await standing(ledger))).toEqual(jobs);
        const left = await sound(ledger);
        const { jobsets } = await ledger.picture();
        for (const [key, token] of claims)
          if (jobsets.has(ledger.keys.ownedJobsetOf(key))) expect(left.get(key)).toBe(token);
        const before = await ledger.revision();
        expect((await audit.sweep(TERM)).repaired).toEqual({});
        expect(await ledger.revision()).toBe(before);
      }),
      RUNS,
    );
  });

  it('writes only what is right at that very revision, whatever the pool does meanwhile', async () => {
    let writes = 0;
    await fc.assert(
      fc.asyncProperty(steps(30), steps(8), steps(40), async (work, damages, meanwhile) => {
        const ledger = aLedger();
        const pool = new Pool(ledger);
        for (const step of work) await pool.step(step);
        for (const step of damages) await damage(ledger, step);
        const left = [...meanwhile];
        const between = async () => {
          const step = left.shift();
          if (step) await pool.step(step);
        };
        const rightNow = async (): Promise<readonly Repair[]> => {
          const { keys, clock } = ledger;
          const scene = { picture: await ledger.picture(), keys, now: clock.now() };
          return judge(scene, new Map(), clock.monotonicMs()).repairs;
        };
        const network = meddled(ledger.store, between, async (then, commit) => {
          const right = (await rightNow()).some((repair) => isThat(repair, then));
          const jobs = new Set(await standing(ledger));
          const answer = await commit();
          if (!answer.succeeded || then.length === 0) return answer;
          writes += 1;
          expect(right, shown(then)).toBe(true);
          expect(new Set(await standing(ledger))).toEqual(jobs);
          return answer;
        });
        const audit = ledger.auditOn(network);
        for (let sweeps = 0; left.length > 0 && sweeps < 10; sweeps += 1) await audit.sweep(TERM);
        const calm = ledger.auditOn();
        await calm.sweep(TERM);
        await calm.sweep(TERM);
        await expectWhole(ledger);
      }),
      RUNS,
    );
    expect(writes).toBeGreaterThan(100);
  });
});
