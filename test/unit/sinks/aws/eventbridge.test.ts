import { expect, it } from 'vitest';
import type { PostBody } from '../../../../src/shared/domain/delivery.ts';
import type { Transition } from '../../../../src/shared/domain/result.ts';
import {
  eventBridgeDestination,
  eventBridgePostDestination,
} from '../../../../src/shared/sinks/aws/eventbridge.ts';
import type { Call, Item } from '../../../../src/shared/sinks/destination.ts';
import { type Entry, problemOf } from '../../../support/aws-constraints.ts';
import { anEmission, aSelfEmission, TICK } from '../../../support/builders.ts';
import { ACCESS, aContext, anItem } from './context.ts';

const aSink = (bus = 'alerts') =>
  eventBridgeDestination({ kind: 'eventbridge', ...ACCESS, bus, source: 'watcher' }, aContext());
const posts = () => eventBridgePostDestination(ACCESS, aContext());

const DOWN: Transition = { from: 'ok', to: 'critical', at: TICK + 3, reason: 'status is "down"' };
const aChange = (overrides = {}): Item => anItem(anEmission(overrides, DOWN));
const aPost = (
  body: Partial<Record<'Source' | 'DetailType', string>> & { Detail?: PostBody } = {},
) =>
  anItem(anEmission(), {
    Source: 'shop',
    DetailType: 'Health',
    Detail: { state: 'ok' },
    Resources: ['arn:aws:s3:::shop'],
    ...body,
  });

const entriesOf = ({ payload }: Call<string>): readonly Entry[] =>
  (JSON.parse(payload) as { readonly Entries: readonly Entry[] }).Entries;

it('wants changes of status, and nothing else', () => {
  const sink = aSink();
  expect(sink.wants(anEmission({}, DOWN))).toBe(true);
  expect(sink.wants(anEmission())).toBe(false);
  expect(sink.wants(aSelfEmission())).toBe(false);
});

it('tells of a change with all that a consumer needs, at the instant of the tick', () => {
  const result = { status: 'critical', code: 'assertion', reason: 'status is "down"' } as const;
  const [call] = aSink().encode([aChange(result)]);
  const [entry, ...more] = entriesOf(call as Call<string>);
  expect(more).toEqual([]);
  expect({ ...entry, Detail: JSON.parse(entry?.Detail ?? '') as unknown }).toEqual({
    Source: 'watcher',
    DetailType: 'Check Status Change',
    EventBusName: 'alerts',
    Time: TICK / 1000,
    Resources: [],
    Detail: {
      id: `id-of-a:${TICK}:ok-critical`,
      check: 'a/',
      check_id: 'id-of-a',
      from: 'ok',
      to: 'critical',
      reason: 'status is "down"',
      code: 'assertion',
      tick: '2026-01-01T00:00:00.000Z',
      start: '2026-01-01T00:00:00.003Z',
      worker: 'w1',
      detached: false,
      values: { status: 'ok' },
    },
  });
});

it('posts what a check file configures and adds nothing but the time', () => {
  const [call] = posts().encode([aPost({ Detail: { b: 'ü "quoted"', a: [1, null] } })]);
  expect(entriesOf(call as Call<string>)).toEqual([
    {
      Source: 'shop',
      DetailType: 'Health',
      Detail: '{"b":"ü \\"quoted\\"","a":[1,null]}',
      Time: TICK / 1000,
      Resources: ['arn:aws:s3:::shop'],
    },
  ]);
});

it('puts ten entries in a call, in their order', () => {
  const items = Array.from({ length: 25 }, (_, i) => aChange({ check: `c${i}/` }));
  const calls = aSink().encode(items);
  expect(calls.map((call) => call.items.length)).toEqual([10, 10, 5]);
  expect(calls.flatMap((call) => call.items)).toEqual(items);
  for (const call of calls)
    expect(problemOf('PutEvents', JSON.parse(call.payload), TICK)).toBe(null);
});

it('leaves out of all calls an entry of more than 240 KB, as AWS counts', () => {
  const room = 240 * 1024 - 14 - 'shop'.length - 'Health'.length - 'arn:aws:s3:::shop'.length;
  const most = 'x'.repeat(room - '{"t":""}'.length);
  const fitting = aPost({ Detail: { t: most } });
  const calls = posts().encode([aPost({ Detail: { t: `${most}x` } }), fitting]);
  expect(calls.map(({ items }) => items)).toEqual([[fitting]]);
});

it('counts bytes, not characters', () => {
  const long = aPost({ Detail: { t: 'ü'.repeat(123_000) } });
  expect(posts().encode([long])).toEqual([]);
});

it('closes a call before it has more than 900 KB, escapes included', () => {
  const items = Array.from({ length: 10 }, () => aPost({ Detail: { t: '"'.repeat(60_000) } }));
  const calls = posts().encode(items);
  expect(calls.map((call) => call.items.length)).toEqual([3, 3, 3, 1]);
  for (const { bytes, payload } of calls) {
    expect(bytes).toBe(Buffer.byteLength(payload));
    expect(bytes).toBeLessThanOrEqual(900_000);
  }
});

it('tells the delivery its window, its limits, and what is too old', () => {
  const limits = { windowMs: 1_000, maxAgeMs: 24 * 3_600_000, concurrency: 4, maxItems: 10 };
  expect(aSink()).toMatchObject({ ...limits, label: 'eventbridge' });
  expect(posts()).toMatchObject({ ...limits, label: 'eventbridge posts' });
});

it('is another destination by bus and key', () => {
  const ids = [aSink(), aSink('other'), posts()].map(({ id }) => id);
  expect(new Set(ids).size).toBe(3);
  expect(aSink().id).toBe(aSink().id);
});
