import { describe, expect, it } from 'vitest';
import { judgeTakeover, KEEP_MS, type TakeoverCase } from '../../../src/admin/takeover-rule.ts';

const NOW = 1_000_000;
const aCase = (overrides: Partial<TakeoverCase>): TakeoverCase => ({
  published: 'theirs',
  own: null,
  offered: 'mine',
  waiting: null,
  confirmed: false,
  now: NOW,
  ...overrides,
});
const since = (since: number, folder = 'mine') => ({ waiting: { folder, since } });

describe('a folder of a new leader', () => {
  it.each([
    ['the first ever', { published: null }],
    ['the published one', { published: 'mine' }],
    ['another than this process has published, and nobody since', { own: 'theirs' }],
    ['another one, confirmed', { confirmed: true }],
    ['another one that has waited five minutes', since(NOW - KEEP_MS)],
    ['another one than has waited so far', since(NOW - 1, 'mine before')],
  ])('is published at once: %s', (_, given) => {
    expect(judgeTakeover(aCase(given))).toBeNull();
  });

  it('waits from when it is first seen to differ', () => {
    expect(judgeTakeover(aCase({}))).toEqual({ folder: 'mine', since: NOW });
  });

  it.each([
    ['just under five minutes', since(NOW + 1 - KEEP_MS)],
    ['no time', since(NOW)],
  ])('goes on waiting after %s', (_, given) => {
    expect(judgeTakeover(aCase(given))).toEqual(given.waiting);
  });

  it('waits though this process has published another one long ago', () => {
    expect(judgeTakeover(aCase({ own: 'mine before' }))).not.toBeNull();
  });
});
