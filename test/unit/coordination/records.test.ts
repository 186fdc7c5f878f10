/**
 * What stands in the stores of running pools: a copy of every kind of record, as each version has
 * written it. When a test here fails because a format has changed, count its version up, keep the copy,
 * and add one of the new version beside it.
 */

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  decodeDefinitions,
  encodeDefinitions,
} from '../../../src/shared/coordination/definitions.ts';
import { joinEpoch } from '../../../src/shared/coordination/epoch-record.ts';
import { Keys } from '../../../src/shared/coordination/keys.ts';
import type { Entry } from '../../../src/shared/coordination/kv.ts';
import { MemoryStore } from '../../../src/shared/coordination/kv-memory.ts';
import * as records from '../../../src/shared/coordination/records.ts';
import type { CheckDefinition } from '../../../src/shared/domain/check.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { seededRandom } from '../../support/seeded-random.ts';

interface Fixture {
  readonly name: string;
  readonly entry: Entry;
  readonly means: Readonly<Record<string, unknown>>;
}

const FOLDER = path.join(import.meta.dirname, '../../fixtures/records/v1');
const fixtures: readonly Fixture[] = readdirSync(FOLDER).map((file) => {
  const { key, stored, base64, means } = JSON.parse(readFileSync(path.join(FOLDER, file), 'utf8'));
  const value = stored ? Buffer.from(stored) : Buffer.from(base64, 'base64');
  const entry = { key, value, modRevision: 1, lease: null };
  return { name: path.basename(file, '.json'), entry, means };
});
const keys = new Keys();

const anEpoch = { ...seededRandom(1), uuid: () => '0e6d5c4b-3a29-4817-9605-f4e3d2c1b077' };
const epochStore = async (entry: Entry | null): Promise<MemoryStore> => {
  const store = new MemoryStore({ clock: new ManualClock() });
  if (entry) await store.commit([], [{ kind: 'put', key: entry.key, value: entry.value }]);
  return store;
};

interface Kind {
  readonly read: (entry: Entry) => unknown;
  /** The text that today's code stores for it. */
  readonly write: (means: never) => string | Promise<string>;
}

const asText =
  <T>(encode: (record: T) => Buffer) =>
  (means: T): string =>
    encode(means).toString();

/** By the first word of a copy's name. */
const KINDS: Readonly<Record<string, Kind>> = {
  jobset: {
    read: (entry) => records.decodeJobset(keys.jobsetOf(entry.key), entry),
    write: asText(records.encodeJobset),
  },
  own: { read: records.decodeOwnership, write: asText(records.encodeOwnership) },
  worker: {
    read: (entry) => records.decodeWorker(keys.workerOf(entry.key), entry),
    write: asText(records.encodeWorker),
  },
  beat: { read: records.decodeBeat, write: asText(records.encodeBeat) },
  progress: { read: records.decodeProgress, write: asText(records.encodeProgress) },
  checkpoint: { read: records.decodeCheckpoint, write: asText(records.encodeCheckpoint) },
  suspects: { read: records.decodeSuspects, write: asText(records.encodeSuspects) },
  scaling: { read: records.decodeScaling, write: asText(records.encodeScaling) },
  leader: { read: records.decodeLeader, write: asText(records.encodeLeader) },
  places: { read: records.decodePlaces, write: asText(records.encodePlaces) },
  followed: { read: records.decodeFollowed, write: asText(records.encodeFollowed) },
  definitions: {
    read: (entry) => decodeDefinitions([entry]),
    // Deflated: the bytes may differ from one zlib to the next.
    write: (means: readonly CheckDefinition[]) =>
      encodeDefinitions(means)
        .map((chunk) => inflateRawSync(chunk).toString())
        .join(),
  },
  epoch: {
    read: async (entry) => joinEpoch({ store: await epochStore(entry), keys, random: anEpoch }),
    write: async () => {
      const store = await epochStore(null);
      await joinEpoch({ store, keys, random: anEpoch });
      return (await store.snapshot(keys.epoch)).entries.map(({ value }) => String(value)).join();
    },
  },
};

const kindOf = ({ name }: Fixture): Kind => {
  const kind = KINDS[name.split('-')[0] ?? ''];
  if (kind === undefined) throw new Error(`no kind of record reads ${name}`);
  return kind;
};
const storedText = ({ name, entry }: Fixture): string =>
  name === 'definitions' ? inflateRawSync(entry.value).toString() : entry.value.toString();
/** The same record with another content; definitions are covered by their own tests. */
const altered = ({ entry }: Fixture, change: object): Entry => ({
  ...entry,
  value: Buffer.from(JSON.stringify({ ...JSON.parse(String(entry.value)), ...change })),
});
/** Whether a copy has what is changed, and what is inside of it. */
const isIn = ({ means }: Fixture, change: object): boolean =>
  Object.keys(change).every((field) => means[field] instanceof Object);
const damagedBy = (fixture: Fixture, change: object): Entry => {
  const within = Object.entries(change).map(([field, inside]) => [
    field,
    { ...(fixture.means[field] as object), ...inside },
  ]);
  return altered(fixture, Object.fromEntries(within));
};
/** Left out where they would say nothing. */
const OPTIONAL: readonly string[] = ['waited'];
const CHANGED = 'the format of a record has changed: see the head of this file';
const plain = fixtures.filter(({ name }) => name !== 'definitions');

describe('a record of version 1', () => {
  it('is kept as a copy, of every kind that is written', () => {
    const names = new Set(fixtures.map(({ name }) => name.split('-')[0]));
    expect(names).toEqual(new Set(Object.keys(KINDS)));
    const writers = Object.keys(records).filter((name) => name.startsWith('encode'));
    // Definitions and the epoch are written elsewhere.
    expect(names.size - 2).toBe(writers.length);
  });

  it.each(fixtures)('is read as what it means ($name)', async (fixture) => {
    expect(await kindOf(fixture).read(fixture.entry), CHANGED).toEqual(fixture.means);
  });

  it.each(fixtures)('is written as it always was ($name)', async (fixture) => {
    const text = await kindOf(fixture).write(fixture.means as never);
    expect(text, CHANGED).toBe(storedText(fixture));
  });

  it.each(plain)('may have fields that this version does not know ($name)', async (fixture) => {
    const { entry, means } = fixture;
    const read = await kindOf(fixture).read(altered(fixture, { tomorrow: [1] }));
    expect(read).toMatchObject(means);
    expect(entry.key).toContain('/watcher/v1/');
  });

  it.each(plain)('keeps unknown fields when it is written again ($name)', async (fixture) => {
    if (fixture.name === 'epoch') return;
    const { read, write } = kindOf(fixture);
    const text = await write((await read(altered(fixture, { tomorrow: [1] }))) as never);
    expect(JSON.parse(text)).toMatchObject({ tomorrow: [1] });
  });

  it.each(plain)(
    'is refused, by key and field, when a field is not what it must be ($name)',
    async (fixture) => {
      const fields = Object.keys(JSON.parse(storedText(fixture))).filter(
        (field) => !['v', ...OPTIONAL].includes(field),
      );
      expect(fields).not.toEqual([]);
      for (const field of fields)
        for (const wrong of [undefined, { a: 1 }, true, [[]]]) {
          const reading = async () => kindOf(fixture).read(altered(fixture, { [field]: wrong }));
          await expect(reading(), field).rejects.toMatchObject({
            code: 'WCH_RECORD',
            message: expect.stringContaining(fixture.entry.key),
          });
        }
    },
  );
});

describe('a number that others reckon with', () => {
  const damaged: readonly [string, object][] = [
    ['worker', { capacity: { places: 0, jobs: null } }],
    ['worker', { capacity: { places: -1, jobs: null } }],
    ['worker', { capacity: { places: 256, jobs: 0 } }],
    ['worker', { capacity: { places: 256, jobs: 0.5 } }],
    ['beat', { load: { places: -1 } }],
    ['beat', { load: { loop: -0.5 } }],
    ['beat', { load: { overdueMs: -1 } }],
    ['beat', { load: { slowHosts: [{ host: 'slow.example', load: -1, waiting: 0 }] } }],
    ['jobset', { waiting: { load: -1 } }],
  ];
  it.each(damaged)('is refused where it can only be damage (%s: %j)', async (kind, change) => {
    const fixture = fixtures.find((one) => one.name.split('-')[0] === kind && isIn(one, change));
    const reading = async () => kindOf(fixture!).read(damagedBy(fixture!, change));
    await expect(reading()).rejects.toMatchObject({ code: 'WCH_RECORD' });
  });
});

describe('a record of a newer version', () => {
  it.each(plain)('is refused as such ($name)', async (fixture) => {
    const reading = async () => kindOf(fixture).read(altered(fixture, { v: 2 }));
    await expect(reading()).rejects.toSatisfy(records.isNewerRecord);
  });

  it('is told from what no watcher has written', () => {
    for (const text of ['', 'binary \u0000', 'null', '7', '[]', '{}', '{"v":"2"}', '{"v":0}']) {
      const reading = () => records.parseRecord('a key', text);
      expect(reading, text).toThrow('a key is not a record of watcher');
      expect(reading, text).not.toSatisfy(throwsNewer);
    }
  });
});

const throwsNewer = (reading: () => unknown): boolean => {
  try {
    reading();
    return false;
  } catch (error) {
    return records.isNewerRecord(error);
  }
};
