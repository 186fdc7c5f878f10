import { describe, expect, it } from 'vitest';
import { Attention } from '../../../src/worker/attention.ts';
import { settled } from '../../support/manual-clock.ts';

const handling = (atOnce: number) => {
  const begun: string[] = [];
  const open = new Map<string, () => void>();
  const attention = new Attention<string>(atOnce, (id) => {
    begun.push(id);
    return new Promise((resolve) => open.set(id, resolve));
  });
  const end = async (id: string) => {
    open.get(id)?.();
    await settled();
  };
  return { attention, begun, end };
};

describe('attention', () => {
  it('handles what is noticed in order, a few at a time', async () => {
    const { attention, begun, end } = handling(2);
    for (const id of ['a', 'b', 'c', 'd']) attention.notice(id);
    expect(begun).toEqual(['a', 'b']);
    await end('b');
    expect(begun).toEqual(['a', 'b', 'c']);
    await end('a');
    expect(begun).toEqual(['a', 'b', 'c', 'd']);
  });

  it('handles an id that waits only once, however often it is noticed', async () => {
    const { attention, begun, end } = handling(1);
    for (const id of ['a', 'b', 'b', 'b']) attention.notice(id);
    await end('a');
    await end('b');
    expect(begun).toEqual(['a', 'b']);
  });

  it('handles an id once more that was noticed while it was busy, never twice at once', async () => {
    const { attention, begun, end } = handling(3);
    for (const id of ['a', 'a', 'a']) attention.notice(id);
    expect(begun).toEqual(['a']);
    await end('a');
    expect(begun).toEqual(['a', 'a']);
    await end('a');
    expect(begun).toEqual(['a', 'a']);
  });
});
