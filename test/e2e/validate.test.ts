import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { watcher } from '../support/cli.ts';

const FIXTURES = path.resolve(import.meta.dirname, '../fixtures');
let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'watcher-validate-'));
});
afterEach(() => rm(dir, { recursive: true }));

const put = (name: string, text: string): Promise<void> => writeFile(path.join(dir, name), text);
const putNotes = async (): Promise<void> => {
  for (const name of ['notes-endpoints.yml', 'notes-self.yml'])
    await cp(path.join(FIXTURES, name), path.join(dir, name));
};
const lastLine = (text: string): string | undefined => text.trimEnd().split('\n').at(-1);
const BAD = 'shop.example.com/:\n  cron_schedule: "* * * * *"\n  timout: 5s\n';

describe('watcher validate', () => {
  it('accepts what it repairs, unless it is to be strict', async () => {
    await putNotes();
    const { code, stdout } = await watcher(['validate', dir]);
    expect(lastLine(stdout)).toBe(
      '2 files, 2 checks, 2 self blocks, 0 errors, 12 warnings, 14 advice',
    );
    expect(code).toBe(0);
    expect((await watcher(['validate', dir, '--strict'])).code).toBe(1);
  });

  it('names file, line and column of an error, and what to do', async () => {
    await put('a.yml', BAD);
    const { code, stdout } = await watcher(['validate', dir]);
    expect(stdout).toContain('a.yml:3:3: error E501 unknown key "timout" (did you mean timeout?)');
    expect(code).toBe(1);
  });

  it('prints one JSON object a line, or annotations', async () => {
    await put('a.yml', BAD);
    const json = await watcher(['validate', dir, '--json']);
    expect(JSON.parse(json.stdout)).toMatchObject({ code: 'E501', line: 3, column: 3 });
    const github = await watcher(['validate', dir, '--format', 'github']);
    expect(github.stdout).toMatch(/^::error file=.*a\.yml,line=3,col=3,title=E501::/);
  });

  it('takes single files, with the defaults beside them', async () => {
    await put('a.yml', 'shop.example.com/: {}\n');
    await put('b.yml', BAD);
    await put('defaults.yml', 'defaults: { cron_schedule: "* * * * *" }\n');
    const { code, stdout } = await watcher(['validate', path.join(dir, 'a.yml')]);
    expect(lastLine(stdout)).toContain('2 files, 1 check,');
    expect(code).toBe(0);
  });

  it('fails for a path that is not there', async () => {
    const { code, stderr } = await watcher(['validate', path.join(dir, 'nowhere')]);
    expect(stderr).toContain('nowhere cannot be read');
    expect(code).toBe(2);
  });
});

describe('watcher fmt', () => {
  it('prints, and with --write changes files into ones that need no repair', async () => {
    await putNotes();
    const before = await readFile(path.join(dir, 'notes-self.yml'), 'utf8');
    const printed = await watcher(['fmt', path.join(dir, 'notes-self.yml')]);
    expect(printed.stdout).toContain('  - post_service:\n      service: aws-cloudwatch\n');
    expect(await readFile(path.join(dir, 'notes-self.yml'), 'utf8')).toBe(before);
    expect((await watcher(['fmt', dir, '--check'])).code).toBe(1);
    expect((await watcher(['fmt', dir, '--write'])).code).toBe(0);
    expect((await watcher(['fmt', dir, '--check'])).code).toBe(0);
    expect(lastLine((await watcher(['validate', dir])).stdout)).toContain('0 errors, 0 warnings');
  });

  it('leaves a file alone that is not YAML', async () => {
    await put('a.yml', 'a: [\n');
    const { code, stderr } = await watcher(['fmt', dir, '--write']);
    expect(stderr).toContain('error E401');
    expect(code).toBe(1);
    expect(await readFile(path.join(dir, 'a.yml'), 'utf8')).toBe('a: [\n');
  });
});

describe('watcher schema', () => {
  it('prints JSON Schema', async () => {
    const { code, stdout } = await watcher(['schema']);
    expect(JSON.parse(stdout)).toMatchObject({
      $schema: 'http://json-schema.org/draft-07/schema#',
    });
    expect(code).toBe(0);
  });
});
