/** Records of the ledger, for any content: what is written is read as it was, and rubbish is refused. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Entry } from '../../../src/shared/coordination/kv.ts';
import * as records from '../../../src/shared/coordination/records.ts';
import type { CheckId, JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';
import type { Progress, Suspicion } from '../../../src/shared/domain/jobset.ts';
import { CHECK_STATUSES } from '../../../src/shared/domain/status.ts';

const text = fc.string({ unit: 'binary', maxLength: 20 });
const ids = <T extends string>() => text.map((id) => id as T);
const orNull = <T>(of: fc.Arbitrary<T>) => fc.option(of);
const time = fc.integer({ min: -1e13, max: 1e13 });
const count = fc.nat();
const some = fc.integer({ min: 1 });
const open = fc.array(fc.tuple(ids<CheckId>(), time));
const progress: fc.Arbitrary<Progress> = fc.record({ through: time, open });
/** As of ids, which are never the names that every object has. */
const name = fc.uuid();
const mapOf = <K extends string, T>(of: fc.Arbitrary<T>) =>
  fc.dictionary(name, of, { noNullPrototype: true }) as fc.Arbitrary<Record<K, T>>;
const state = fc.record({
  status: fc.constantFrom(...CHECK_STATUSES),
  since: time,
  bad: count,
});
const waiting = fc.record({
  reason: fc.constantFrom('late' as const, 'full' as const, 'quarantined' as const),
  since: time,
  by: ids<WorkerId>(),
  load: count,
});
const load = fc.record({
  places: count,
  loop: fc.float({ min: 0, max: 1, noNaN: true }),
  behind: count,
  latenessP99Ms: orNull(time),
  overdueMs: count,
  slowHosts: fc.array(fc.record({ host: text, load: count, waiting: count }), { maxLength: 3 }),
});
const suspicion = fc.record({ deaths: count, at: time, isTried: fc.boolean() });
const jobset = fc.record({
  id: fc.constant('js' as JobsetId),
  source: fc.constantFrom('folder' as const, 'api' as const),
  jobs: fc.array(ids<CheckId>()),
  digest: text,
  chunks: fc.nat({ max: 128 }),
  zone: orNull(text),
  avoid: fc.array(ids<WorkerId>()),
  waiting: orNull(waiting),
  moveTo: orNull(ids<WorkerId>()),
});
const worker = fc.record({
  id: fc.constant('w' as WorkerId),
  state: fc.constantFrom('up' as const, 'full' as const, 'draining' as const),
  capacity: fc.record({ places: some, jobs: orNull(some) }),
  host: text,
  version: text,
  zone: orNull(text),
  listen: orNull(text),
  started: time,
});

interface Kind {
  readonly content: fc.Arbitrary<never>;
  readonly write: (content: never) => Buffer;
  readonly read: (entry: Entry) => unknown;
}
const kind = <T>(
  content: fc.Arbitrary<T>,
  write: (content: T) => Buffer,
  read: (entry: Entry) => unknown,
) => ({ content, write, read }) as unknown as Kind;

const KINDS: Readonly<Record<string, Kind>> = {
  jobset: kind(jobset, records.encodeJobset, (entry) =>
    records.decodeJobset('js' as JobsetId, entry),
  ),
  worker: kind(worker, records.encodeWorker, (entry) =>
    records.decodeWorker('w' as WorkerId, entry),
  ),
  beat: kind(
    fc.record({ seq: count, at: time, owned: count, checks: count, load }),
    records.encodeBeat,
    records.decodeBeat,
  ),
  progress: kind(
    fc.record({ through: time, open, left: mapOf<JobsetId, Progress>(progress) }),
    records.encodeProgress,
    records.decodeProgress,
  ),
  checkpoint: kind(
    fc.record({
      worker: orNull(ids<WorkerId>()),
      progress: orNull(progress),
      states: mapOf<
        CheckId,
        { status: (typeof CHECK_STATUSES)[number]; since: number; bad: number }
      >(state),
    }),
    records.encodeCheckpoint,
    records.decodeCheckpoint,
  ),
  own: kind(
    fc.record({ worker: orNull(ids<WorkerId>()), nonce: text, holdMs: count }),
    records.encodeOwnership,
    records.decodeOwnership,
  ),
  suspects: kind(
    fc.record({ by: ids<WorkerId>(), jobs: mapOf<CheckId, Suspicion>(suspicion) }),
    records.encodeSuspects,
    records.decodeSuspects,
  ),
  leader: kind(fc.record({ id: text }), records.encodeLeader, records.decodeLeader),
  places: kind(fc.record({ nonce: text }), records.encodePlaces, records.decodePlaces),
  followed: kind(fc.record({ folder: text }), records.encodeFollowed, records.decodeFollowed),
};

const entryOf = (value: Buffer): Entry => ({ key: 'a/key', value, modRevision: 1, lease: null });
const plain = (content: unknown): unknown => JSON.parse(JSON.stringify(content));

/** What no watcher has written, in many shapes. */
const rubbish = fc.oneof(
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  fc.json().map((json) => Buffer.from(json)),
  fc.dictionary(text, fc.jsonValue()).map((some) => Buffer.from(JSON.stringify({ v: 1, ...some }))),
);

describe.each(Object.entries(KINDS))('a record (%s)', (_, { content, write, read }) => {
  it('is read as what was written', () =>
    fc.assert(
      fc.property(content, (content) => {
        expect(plain(read(entryOf(write(content))))).toEqual(plain(content));
      }),
    ));

  it('is refused by its key where it is rubbish, and nothing worse happens', () =>
    fc.assert(
      fc.property(rubbish, (value) => {
        try {
          read(entryOf(value));
        } catch (error) {
          expect(error).toMatchObject({
            code: 'WCH_RECORD',
            message: expect.stringContaining('a/key'),
          });
          return;
        }
        // By chance it has all that such a record has.
        expect(JSON.parse(value.toString()).v).toBe(1);
      }),
    ));

  it('is refused where one of its fields is not what it must be', () =>
    fc.assert(
      fc.property(content, fc.nat(), (content, n) => {
        const stored = JSON.parse(write(content).toString());
        const fields = Object.keys(stored).filter((field) => field !== 'v');
        const damaged = { ...stored, [fields[n % fields.length] as string]: true };
        const reading = () => read(entryOf(Buffer.from(JSON.stringify(damaged))));
        expect(reading).toThrow(expect.objectContaining({ code: 'WCH_RECORD' }));
      }),
    ));
});

/** Ids that look like what is around a list of jobs. */
const job = fc.oneof(
  text,
  fc.array(fc.constantFrom('],"digest":', '"jobs":[', ']', '[', '"', '\\', ','), { maxLength: 4 }),
);
const jobs = fc.array(job.map((id) => [id].flat().join('') as CheckId));

describe('who should run a jobset', () => {
  it('is read from its record whatever its list of jobs is', () =>
    fc.assert(
      fc.property(jobset, jobs, (of, jobs) => {
        const entry = entryOf(records.encodeJobset({ ...of, jobs }));
        const { zone, avoid, waiting, moveTo } = records.decodeJobset(of.id, entry);
        expect(records.decodePlacement(entry)).toEqual({ zone, avoid, waiting, moveTo });
      }),
    ));

  it('costs no look at the list, which each worker would take of every jobset', () =>
    fc.assert(
      fc.property(jobset, (of) => {
        const record = records.encodeJobset({ ...of, jobs: ['a' as CheckId] }).toString();
        const entry = entryOf(Buffer.from(record.replace('"jobs":["a"]', '"jobs":[not a list]')));
        expect(records.decodePlacement(entry).zone).toEqual(of.zone);
      }),
    ));
});
