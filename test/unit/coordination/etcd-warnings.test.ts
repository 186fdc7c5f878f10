import { expect, it } from 'vitest';
import type { EtcdHealth } from '../../../src/shared/coordination/etcd/health.ts';
import { warningsOf } from '../../../src/shared/coordination/etcd/warnings.ts';

const NOW = Date.UTC(2026, 0, 1);
const DAY_MS = 86_400_000;
const GIB = 1024 ** 3;

const answer = { version: '3.6.5', dbBytes: GIB, alarms: [], revision: 99_999 };
const healthy: EtcdHealth = {
  members: [{ endpoint: 'http://one', answer }],
  quotaBytes: 2 * GIB,
  hasBeenCompacted: false,
  certificateEndsAt: NOW + 14 * DAY_MS,
};
const withAnswer = (
  changed: Partial<typeof answer> | { alarms: readonly string[] },
): EtcdHealth => ({
  ...healthy,
  members: [{ endpoint: 'http://one', answer: { ...answer, ...changed } }],
});

it('says nothing of an etcd that is well', () => {
  expect(warningsOf(healthy, NOW)).toEqual([]);
});

it.each(['3.4.45', '3.5.22', '3.6.4', '2.3.8', '3.4.23'])('warns of version %s', (version) => {
  expect(warningsOf(withAnswer({ version }), NOW)).toEqual([
    expect.stringContaining(`http://one is ${version}`),
  ]);
});

it.each(['3.5.23', '3.6.5', '3.7.0', '4.0.0', 'unknown'])('takes version %s', (version) => {
  expect(warningsOf(withAnswer({ version }), NOW)).toEqual([]);
});

it.each([
  ['memberID:1 alarm:NOSPACE ', 'is full'],
  ['memberID:1 alarm:CORRUPT ', 'corrupt'],
  ['memberID:1 alarm:OTHER ', 'raises an alarm: memberID:1 alarm:OTHER'],
])('puts the alarm %s in plain words', (alarm, words) => {
  expect(warningsOf(withAnswer({ alarms: [alarm] }), NOW)).toEqual([
    expect.stringContaining(words),
  ]);
});

it('warns when more than half of the quota is used', () => {
  expect(warningsOf(withAnswer({ dbBytes: 1.5 * GIB }), NOW)).toEqual([
    expect.stringContaining('75 % of its quota of 2048 MiB'),
  ]);
});

it('warns when many revisions have been written and none was ever forgotten', () => {
  const many = withAnswer({ revision: 100_000 });
  expect(warningsOf(many, NOW)).toEqual([expect.stringContaining('auto-compaction seems off')]);
  expect(warningsOf({ ...many, hasBeenCompacted: true }, NOW)).toEqual([]);
  expect(warningsOf({ ...many, hasBeenCompacted: null }, NOW)).toEqual([]);
});

it('warns of a client certificate fourteen days before its end, and after it', () => {
  const ends = (at: number) => warningsOf({ ...healthy, certificateEndsAt: at }, NOW);
  expect(ends(NOW + 14 * DAY_MS - 1)).toEqual([expect.stringContaining('ends in 13 days')]);
  expect(ends(NOW - 1)).toEqual([expect.stringContaining('has ended')]);
});

it('names a member that does not answer', () => {
  const away: EtcdHealth = { ...healthy, members: [{ endpoint: 'http://two', answer: null }] };
  expect(warningsOf(away, NOW)).toEqual(['etcd at http://two does not answer']);
});
