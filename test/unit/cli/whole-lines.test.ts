import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { wholeLines } from '../../../src/cli/whole-lines.ts';

const passedOn = async (...pieces: readonly string[]): Promise<readonly string[]> => {
  const stream = wholeLines();
  const seen: string[] = [];
  stream.on('data', (chunk) => seen.push(String(chunk)));
  for (const piece of pieces) stream.write(piece);
  stream.end();
  await once(stream, 'end');
  return seen;
};

describe('lines of several processes in one stream', () => {
  it.each([
    [['a\nb\n'], ['a\nb\n']],
    [
      ['a\nb', 'c', 'd\ne', '\n'],
      ['a\n', 'bcd\n', 'e\n'],
    ],
    [['{"ü":', '1}\n'], ['{"ü":1}\n']],
    [
      ['a', '\n', '\n'],
      ['a\n', '\n'],
    ],
  ])('come from %j as %j', async (pieces, lines) => {
    expect(await passedOn(...pieces)).toEqual(lines);
  });

  it('leave out what a process that was killed had begun', async () => {
    expect(await passedOn('a\nb')).toEqual(['a\n']);
  });

  it('are never torn by those of others', async () => {
    const both = new PassThrough();
    const [first, second] = [wholeLines(), wholeLines()];
    for (const one of [first, second]) one.pipe(both, { end: false });
    first.write('aa');
    second.write('bb');
    first.write('aa\n');
    second.write('bb\n');
    await once(both, 'readable');
    expect(String(both.read()).split('\n').toSorted()).toEqual(['', 'aaaa', 'bbbb']);
  });
});
