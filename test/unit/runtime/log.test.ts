import { mkdtempDisposable, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { type LogOptions, openLog } from '../../../src/shared/runtime/log.ts';
import { Redactor } from '../../../src/shared/runtime/redact.ts';

const recorded = async (options: Partial<LogOptions> & { readonly isTTY?: boolean } = {}) => {
  const lines: string[] = [];
  const { isTTY = false, ...rest } = options;
  const stderr = { isTTY, write: (text: string) => lines.push(text) };
  const log = await openLog({ level: 'info', redactor: new Redactor(), stderr, ...rest });
  return { log, lines };
};

describe('the log', () => {
  it('writes one JSON object a line', async () => {
    const { log, lines } = await recorded();
    log.warn('two\nlines', { check: 'a/b' });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^[^\n]+\n$/);
    expect(JSON.parse(lines[0]!)).toEqual({
      level: 'warn',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      msg: 'two\nlines',
      check: 'a/b',
    });
  });

  it('keeps what is below its level to itself', async () => {
    const { log, lines } = await recorded({ level: 'warn' });
    log.info('quiet');
    log.error('loud');
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual(['loud']);
  });

  it('masks secrets in messages, fields and errors', async () => {
    const redactor = new Redactor();
    redactor.register('hunter2"x');
    const { log, lines } = await recorded({ redactor });
    log.error('with hunter2"x', { header: 'hunter2"x', err: new Error('bad hunter2"x') });
    expect(lines[0]).not.toContain('hunter2');
    expect(JSON.parse(lines[0]!)).toMatchObject({ msg: 'with [redacted]', header: '[redacted]' });
  });

  it('is one tidy line on a terminal, whatever the text would do to it', async () => {
    const { log, lines } = await recorded({ isTTY: true });
    log.error('forged\n12:00:00 INFO  all is well\u001b[2J', { err: new Error('no\rroute'), n: 3 });
    const text = stripVTControlCharacters(lines[0]!);
    expect(text).toMatch(
      /^\d\d:\d\d:\d\d ERROR forged 12:00:00 INFO {2}all is well {2}err=no route {2}n=3\n$/,
    );
  });

  it('goes to a file of its own where a folder is set', async () => {
    await using folder = await mkdtempDisposable(path.join(tmpdir(), 'log-'));
    const file = { folder: path.join(folder.path, 'logs'), name: 'watcher-worker' };
    const { log, lines } = await recorded({ file, isTTY: true });
    log.info('to the file');
    const text = await readFile(path.join(file.folder, 'watcher-worker.log'), 'utf8');
    expect(JSON.parse(text)).toMatchObject({ level: 'info', msg: 'to the file' });
    expect(lines).toEqual([]);
  });

  it('names the file that it cannot open', async () => {
    await using folder = await mkdtempDisposable(path.join(tmpdir(), 'log-'));
    const occupied = path.join(folder.path, 'a-file');
    await writeFile(occupied, '');
    const opening = recorded({ file: { folder: occupied, name: 'watcher' } });
    await expect(opening).rejects.toMatchObject({
      code: 'WCH_SETTINGS',
      message: expect.stringContaining(path.join(occupied, 'watcher.log')),
    });
  });
});
