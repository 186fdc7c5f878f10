/** A watch of etcd's whose server misbehaves in ways that no real one shows on demand. */

import { Readable } from 'node:stream';
import type { Etcd3, IWatchResponse } from 'etcd3';
import { expect, it } from 'vitest';
import { Epoch } from '../../../src/shared/coordination/etcd/epoch.ts';
import type { Members } from '../../../src/shared/coordination/etcd/members.ts';
import { Watch } from '../../../src/shared/coordination/etcd/watch.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const timing = { confirmMs: 3000, quietMs: 3000, answerMs: 2000 };

const message = (more: object) =>
  ({
    header: { cluster_id: '1', member_id: '1', raft_term: '2', revision: '12' },
    watch_id: '0',
    created: false,
    canceled: false,
    compact_revision: '0',
    fragment: false,
    events: [],
    ...more,
  }) as unknown as IWatchResponse;
const put = (key: string, revision: number) => ({
  type: 'PUT',
  kv: { key: Buffer.from(key), value: Buffer.alloc(0), mod_revision: `${revision}`, lease: '0' },
});

const watching = (after: number, ...messages: readonly IWatchResponse[]) => {
  const stream = Object.assign(new Readable({ objectMode: true, read: () => {} }), {
    write: () => true,
    cancel: () => {},
  });
  for (const one of messages) stream.push(one);
  const client = { watchClient: { watch: async () => stream } } as unknown as Etcd3;
  const members = { size: 1, current: { endpoint: 'etcd', client }, failed: () => {} };
  const options = {
    members: members as unknown as Members,
    epoch: new Epoch(),
    clock: new ManualClock(),
    random: seededRandom(1),
    timing,
    verify: async () => {},
  };
  return new Watch(options, '', after, new AbortController().signal).run();
};

it('tells nothing from before its place, though etcd does', async () => {
  const events = [put('old', 5), put('new', 12)];
  const watch = watching(10, message({ created: true }), message({ events }));
  const { value } = await watch.next();
  expect(value).toMatchObject({ revision: 12, changes: [{ entry: { key: 'new' } }] });
});
