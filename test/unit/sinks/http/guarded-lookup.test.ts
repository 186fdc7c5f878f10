import type { LookupAddress } from 'node:dns';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { createGuardedLookup } from '../../../../src/shared/sinks/http/guarded-lookup.ts';

const address = (text: string): LookupAddress => ({
  address: text,
  family: text.includes(':') ? 6 : 4,
});

/** A resolver that answers when it is told to. */
const aResolver = () => {
  const asked: string[] = [];
  let answer = Promise.withResolvers<readonly LookupAddress[]>();
  const look = promisify(
    createGuardedLookup((host) => {
      asked.push(host);
      return answer.promise;
    }),
  );
  return {
    asked,
    find: (host: string) => look(host, { all: true }),
    give: (...texts: readonly string[]) => answer.resolve(texts.map(address)),
    fail: (error: Error) => answer.reject(error),
    again: () => {
      answer = Promise.withResolvers();
    },
  };
};

it('asks for a name once, however many wait for it, and anew when all have their answer', async () => {
  const { asked, find, give } = aResolver();
  const both = [find('a'), find('a'), find('b')];
  expect(asked).toEqual(['a', 'b']);
  give('10.0.0.1', '::1');
  const addresses = [address('10.0.0.1'), address('::1')];
  expect(await Promise.all(both)).toEqual([addresses, addresses, addresses]);
  await find('a');
  expect(asked).toEqual(['a', 'b', 'a']);
});

it('hands on that a name has no address, and asks anew', async () => {
  const { asked, find, give, fail, again } = aResolver();
  const both = [find('a'), find('a')];
  const missing = new Error('ENOTFOUND');
  fail(missing);
  for (const one of both) await expect(one).rejects.toBe(missing);
  again();
  give('10.0.0.1');
  await find('a');
  expect(asked).toEqual(['a', 'a']);
});

it('leaves out what the policy refuses', async () => {
  const { find, give } = aResolver();
  give('169.254.169.254', '10.0.0.1');
  expect(await find('a')).toEqual([address('10.0.0.1')]);
});

it('fails for good when nothing is left', async () => {
  const { find, give } = aResolver();
  give('169.254.169.254', '::ffff:169.254.169.254');
  await expect(find('a')).rejects.toMatchObject({
    message: 'a is a cloud metadata address, which watcher never speaks to',
    isFinal: true,
  });
});
