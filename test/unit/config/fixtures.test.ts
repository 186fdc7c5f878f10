import { describe, expect, it } from 'vitest';
import { readCheckFile } from '../../../src/shared/config/check-file.ts';
import { RENDERERS } from '../../../src/shared/config/diagnostics.ts';
import { formatBytes } from '../../../src/shared/config/format.ts';
import { codes, definitions, fixture, fixtures, read } from './reading.ts';

describe('a file with one mistake', () => {
  it.each(fixtures('configs/bad'))(
    '%s gets the expected diagnosis, and has no checks',
    async (name) => {
      const bytes = fixture(`configs/bad/${name}`);
      const file = readCheckFile({ file: name, name, bytes }, {});
      const text = file.diagnostics.map((diagnostic) => `${RENDERERS.text(diagnostic)}\n`).join('');
      const expected = `../../fixtures/configs/bad/${name.replace(/\.yml$/, '.expected.txt')}`;
      await expect(text).toMatchFileSnapshot(expected);
      expect(file.checks).toEqual([]);
      expect(codes(file).some((code) => code.startsWith('E'))).toBe(true);
    },
  );
});

describe('a good file', () => {
  it.each(fixtures('configs/good'))('%s has nothing to complain about', (name) => {
    expect(read(fixture(`configs/good/${name}`)).diagnostics).toEqual([]);
  });

  it.each([
    ...fixtures('configs/good').map((name) => `configs/good/${name}`),
    'notes-endpoints.yml',
    'notes-self.yml',
  ])('%s is formatted once and for all, to the same checks', (name) => {
    const once = formatBytes(fixture(name)).text ?? '';
    expect(formatBytes(Buffer.from(once)).text).toBe(once);
    const formatted = read(once);
    expect(codes(formatted).filter((code) => !code.startsWith('I'))).toEqual([]);
    const original = read(fixture(name));
    expect(definitions(formatted)).toEqual(definitions(original));
    expect(formatted.selves).toEqual(original.selves);
  });
});
