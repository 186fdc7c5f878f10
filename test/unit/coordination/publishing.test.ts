import { beforeEach, expect, it } from 'vitest';
import { digestOf } from '../../../src/shared/coordination/definitions.ts';
import type { Term } from '../../../src/shared/coordination/election.ts';
import { Keys } from '../../../src/shared/coordination/keys.ts';
import { MemoryStore } from '../../../src/shared/coordination/kv-memory.ts';
import { type Published, Publishing } from '../../../src/shared/coordination/publishing.ts';
import type { CheckDefinition, JobsetId } from '../../../src/shared/domain/check.ts';
import { aCheck } from '../../support/builders.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const JOBSET = 'js-1' as JobsetId;
const keys = new Keys();
const leading: Term = { condition: { key: keys.leader, modRevision: 0 } };
const over: Term = { condition: { key: keys.leader, modRevision: 7 } };

let store: MemoryStore;
let publishing: Publishing;

const write = async (old: Published | null, ...definitions: CheckDefinition[]) => {
  const digest = digestOf(definitions);
  const content = { old, id: JOBSET, source: 'folder', zone: null, digest, definitions } as const;
  expect(await publishing.replace(content, leading)).toBe(true);
};
const published = async (): Promise<Published> => {
  for await (const one of publishing.jobsets()) return one;
  throw new Error('nothing is published');
};

beforeEach(async () => {
  store = new MemoryStore({ clock: new ManualClock() });
  publishing = new Publishing({ store, keys });
  await write(null, aCheck('a'));
});

it('takes a jobset away, and nothing of it stays', async () => {
  expect(await publishing.withdraw(await published(), leading)).toBe(true);
  expect((await store.snapshot('')).entries).toEqual([]);
});

it('takes no jobset away that has changed since it was read', async () => {
  const old = await published();
  await write(old, aCheck('a'), aCheck('b'));
  expect(await publishing.withdraw(old, leading)).toBe(false);
  expect((await published()).jobset.jobs.length).toBe(2);
});

it('takes nothing away when its term is over', async () => {
  expect(await publishing.withdraw(await published(), over)).toBe(false);
  expect((await published()).jobset.id).toBe(JOBSET);
});

it('says which folder the ledger follows as long as its term lasts', async () => {
  expect(await publishing.follow('one', leading)).toBe(true);
  expect(await publishing.follow('two', over)).toBe(false);
  expect((await publishing.standing()).folder).toBe('one');
});
