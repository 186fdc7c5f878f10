/**
 * A pool under misfortune, from a seed: networks are cut and healed, answers are lost, wall clocks leap,
 * jobsets come, change and go. Whatever happens, no two workers can both prove that a jobset is theirs,
 * and once the misfortune ends each jobset is run by exactly one.
 */

import { describe, expect, it } from 'vitest';
import { aCheck } from '../support/builders.ts';
import { aPool, type Member } from '../support/pool.ts';

const STEPS = 200;
const JOBSETS = 8;
const WORKERS = 4;

const misfortune = async (seed: number) => {
  const pool = aPool(seed);
  const { random, clock } = pool;
  const any = (count: number): number => Math.floor(random.next() * count);
  const members = Array.from({ length: WORKERS }, (_, n) => pool.join(`w${n}`));
  const standing = new Set<string>();
  const lives: number[] = Array(JOBSETS).fill(0);
  let contested = 0;

  const checkOwnership = () => {
    for (const id of new Set(members.flatMap(({ workload }) => [...workload.held.keys()]))) {
      const runs = (member: Member) => member.workload.held.has(id);
      const running = members.filter(runs);
      const proving = running.filter((member) => member.claimer.attached);
      expect(proving.length, `${id} is proven by ${proving.map(({ id }) => id)}`).toBeLessThan(2);
      if (running.length > 1) contested += 1;
    }
  };
  const strike = async (member: Member) => {
    const luck = any(10);
    if (luck < 2) member.network.cut = true;
    else if (luck < 5) member.network.heal();
    else if (luck === 5) clock.stepWall((random.next() - 0.5) * 20_000);
    else if (luck === 6) clock.stall(any(9000));
    else if (luck === 7) member.network.nextFault = () => (random.next() < 0.4 ? 'answer' : null);
    else if (luck === 8) member.network.nextFault = () => (random.next() < 0.4 ? 'request' : null);
    else member.network.nextFault = null;
  };
  const change = async () => {
    const n = any(JOBSETS);
    const id = `js-${n}-${lives[n]}`;
    if (standing.has(id) && any(3) === 0) {
      standing.delete(id);
      await pool.withdraw(id);
      // An id is never used again: whoever is cut off has this one for a moment longer.
      lives[n] = (lives[n] ?? 0) + 1;
    } else {
      standing.add(id);
      await pool.publish(id, [aCheck(`${id}/${any(1000)}`)]);
    }
  };

  for (let step = 0; step < STEPS; step += 1) {
    await (any(4) === 0 ? change() : strike(members[any(WORKERS)] as Member));
    for (let i = any(8); i >= 0; i -= 1) {
      await clock.advance(any(700));
      checkOwnership();
    }
  }
  for (const member of members) {
    member.network.nextFault = null;
    member.network.heal();
  }
  await clock.advance(20_000);
  checkOwnership();
  return { pool, members, standing, contested };
};

describe('a pool under misfortune', () => {
  it.each(Array.from({ length: 40 }, (_, seed) => seed))(
    'never has two that can prove the same, and settles (seed %i)',
    async (seed) => {
      const { pool, members, standing } = await misfortune(seed);
      const held = members.flatMap(({ workload }) => [...workload.held.keys()]).sort();
      expect(held).toEqual([...standing].sort());
      const owners = await pool.owners();
      for (const { id, workload, claimer } of members) {
        expect(claimer.attached).toBe(true);
        for (const [jobset, { claim }] of workload.held) {
          expect(owners[jobset]).toBe(id);
          const { entries } = await pool.store.snapshot(pool.keys.owner(jobset));
          expect(claim.token).toBe(String(entries[0]?.modRevision));
        }
      }
    },
  );

  it('does run a jobset twice while one of them is cut off: nothing goes unwatched', async () => {
    expect((await misfortune(1)).contested).toBeGreaterThan(0);
  });
});
