import { expect, it } from 'vitest';
import { Members } from '../../../src/shared/coordination/etcd/members.ts';

const someMembers = () =>
  new Members(
    { endpoints: ['http://a.invalid:1', 'http://b.invalid:1', 'http://c.invalid:1'] },
    { purpose: 'test', first: 0, callMs: 1000, now: () => 0 },
  );

it.each([false, true])(
  'turns to the next member once, however many calls fail together (stuck: %s)',
  (isStuck) => {
    using members = someMembers();
    const { current } = members;
    for (let calls = 0; calls < 5; calls += 1) members.failed(current, isStuck);
    expect(members.current.endpoint).toBe('http://b.invalid:1');
  },
);

it('is not turned back by a call that fails late, at a member that it has left', () => {
  using members = someMembers();
  const first = members.current;
  members.failed(first, false);
  members.failed(members.current, false);
  members.failed(first, false);
  expect(members.current.endpoint).toBe('http://c.invalid:1');
});

it('comes back to the first one after the last, with a new client where it was stuck', () => {
  using members = someMembers();
  const first = members.current;
  members.failed(first, true);
  const second = members.current;
  members.failed(second, false);
  members.failed(members.current, false);
  expect(members.current.endpoint).toBe(first.endpoint);
  expect(members.current).not.toBe(first);
  members.failed(members.current, false);
  expect(members.current).toBe(second);
});
