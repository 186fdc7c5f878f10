import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FolderLoader } from '../../../src/shared/config/folder.ts';
import type { Catalogue } from '../../../src/shared/domain/catalogue.ts';

let root: string;
let dir: string;
let loader: FolderLoader;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'watcher-folder-'));
  dir = path.join(root, 'configs');
  await mkdir(dir);
  loader = new FolderLoader(dir);
});

afterEach(() => rm(root, { recursive: true }));

const put = (name: string, ...keys: readonly string[]): Promise<void> =>
  write(name, keys.map((key) => `${key}:\n  cron_schedule: "* * * * *"\n`).join(''));
const write = (name: string, text: string): Promise<void> => writeFile(path.join(dir, name), text);
const keys = ({ definitions }: Catalogue): readonly string[] => definitions.map(({ key }) => key);
const told = ({ diagnostics }: Catalogue): readonly string[] =>
  diagnostics.map(({ code, file, line }) => `${code} ${path.basename(file)}:${line}`);

describe('which files are read', () => {
  it('reads *.yml and names what nearly is one', async () => {
    await put('a.yml', 'a.example.com/');
    await put('b.yaml', 'b.example.com/');
    await put('C.YML', 'c.example.com/');
    for (const name of ['.d.yml', 'e.yml~', '.f.yml.swp', 'g.txt', '#h.yml#'])
      await put(name, 'x.example.com/');
    const catalogue = await loader.load();
    expect(keys(catalogue)).toEqual(['a.example.com/']);
    expect(told(catalogue)).toEqual(['W301 configs:0', 'W301 configs:0']);
    expect(catalogue.diagnostics.map(({ message }) => message)).toEqual([
      'C.YML is not read',
      'b.yaml is not read',
    ]);
  });

  it('does not read folders below', async () => {
    await mkdir(path.join(dir, 'below'));
    await put('below/a.yml', 'a.example.com/');
    expect(keys(await loader.load())).toEqual([]);
  });

  it('passes over what is no regular file, with a reason, and never waits for it', async () => {
    await put('good.yml', 'a.example.com/');
    await mkdir(path.join(dir, 'folder.yml'));
    await symlink('nowhere.yml', path.join(dir, 'dangling.yml'));
    await symlink('loop.yml', path.join(dir, 'loop.yml'));
    execFileSync('mkfifo', [path.join(dir, 'pipe.yml')]);
    const catalogue = await loader.load();
    expect(keys(catalogue)).toEqual(['a.example.com/']);
    expect(told(catalogue)).toEqual([
      'E302 dangling.yml:0',
      'E302 folder.yml:0',
      'E302 loop.yml:0',
      'E302 pipe.yml:0',
    ]);
  });

  it('follows links inside the folder, as mounted volumes have them, and none out of it', async () => {
    await mkdir(path.join(dir, '..2026'));
    await put('..2026/a.yml', 'a.example.com/');
    await symlink('..2026', path.join(dir, '..data'));
    await symlink('..data/a.yml', path.join(dir, 'a.yml'));
    await writeFile(path.join(root, 'outside.yml'), 'b.example.com/:\n');
    await symlink('../outside.yml', path.join(dir, 'b.yml'));
    await symlink('/dev/zero', path.join(dir, 'c.yml'));
    await mkdir(`${dir}-of-others`);
    await writeFile(`${dir}-of-others/d.yml`, 'd.example.com/:\n');
    await symlink('../configs-of-others/d.yml', path.join(dir, 'd.yml'));
    const catalogue = await loader.load();
    expect(keys(catalogue)).toEqual(['a.example.com/']);
    expect(told(catalogue)).toEqual(['E303 b.yml:0', 'E303 c.yml:0', 'E303 d.yml:0']);
  });

  it.skipIf(process.getuid?.() === 0)('tells of a file without permission', async () => {
    await put('a.yml', 'a.example.com/');
    await chmod(path.join(dir, 'a.yml'), 0);
    expect(told(await loader.load())).toEqual(['E301 a.yml:0']);
  });

  it('refuses a file larger than 1 MiB without reading it', async () => {
    await write('a.yml', `# ${'x'.repeat(1024 * 1024)}\n`);
    expect(told(await loader.load())).toEqual(['E304 a.yml:0']);
  });

  it('shows odd names of files without what could forge a line', async () => {
    await write('a\nb.yml', 'just text\n');
    const [problem] = (await loader.load()).diagnostics;
    expect(problem?.file).toContain('a\nb.yml');
  });

  it('reads the files that it was given, and the defaults beside them', async () => {
    await put('a.yml', 'a.example.com/');
    await put('b.txt', 'b.example.com/');
    await write('defaults.yml', 'defaults:\n  timeout: 3s\n');
    const only = new FolderLoader(dir, { only: ['b.txt'] });
    const { definitions } = await only.load();
    expect(definitions.map(({ key, spec }) => [key, spec.request.timeoutMs])).toEqual([
      ['b.example.com/', 3000],
    ]);
  });
});

describe('a file that goes bad', () => {
  it('is told of while its last good version and its neighbours stay', async () => {
    await put('a.yml', 'a.example.com/');
    await put('b.yml', 'b.example.com/');
    await loader.load();
    await write('a.yml', 'a.example.com/: [\n');
    const catalogue = await loader.load();
    expect(keys(catalogue)).toEqual(['a.example.com/', 'b.example.com/']);
    expect(told(catalogue)).toEqual(['E401 a.yml:2']);
  });

  it('counts again once it is good', async () => {
    await put('a.yml', 'a.example.com/');
    await loader.load();
    await write('a.yml', '- list\n');
    await loader.load();
    await put('a.yml', 'c.example.com/');
    const catalogue = await loader.load();
    expect(keys(catalogue)).toEqual(['c.example.com/']);
    expect(catalogue.diagnostics).toEqual([]);
  });

  it('has no checks when it never was good', async () => {
    await write('a.yml', '- list\n');
    expect(keys(await loader.load())).toEqual([]);
  });

  it('stays out when it is deleted', async () => {
    await put('a.yml', 'a.example.com/');
    await loader.load();
    await rm(path.join(dir, 'a.yml'));
    expect(keys(await loader.load())).toEqual([]);
  });
});

describe('the folder', () => {
  it('keeps everything while it is away, says so, and comes back', async () => {
    await put('a.yml', 'a.example.com/');
    await loader.load();
    await rename(dir, `${dir}.away`);
    const away = await loader.load();
    expect(keys(away)).toEqual(['a.example.com/']);
    expect(told(away)).toEqual(['E301 configs:0']);
    await rename(`${dir}.away`, dir);
    expect((await loader.load()).diagnostics).toEqual([]);
  });

  it('is the same catalogue as long as nothing in it changes', async () => {
    await put('a.yml', 'a.example.com/');
    const first = await loader.load();
    await utimes(path.join(dir, 'a.yml'), 1, 1);
    expect(await loader.load()).toBe(first);
  });

  it('notices an edit of the same size and time', async () => {
    await put('a.yml', 'a.example.com/');
    await utimes(path.join(dir, 'a.yml'), 1, 1);
    await loader.load();
    await put('a.yml', 'b.example.com/');
    await utimes(path.join(dir, 'a.yml'), 1, 1);
    expect(keys(await loader.load())).toEqual(['b.example.com/']);
  });

  it('keeps the objects of a file that has not changed', async () => {
    await put('a.yml', 'a.example.com/');
    await put('b.yml', 'b.example.com/');
    const [before] = (await loader.load()).definitions;
    await put('b.yml', 'c.example.com/');
    expect((await loader.load()).definitions[0]).toBe(before);
  });

  it('runs the first of two checks with one key and names both places', async () => {
    await put('a.yml', 'a.example.com/');
    await put('b.yml', 'b.example.com/', 'a.example.com/');
    const catalogue = await loader.load();
    expect(keys(catalogue)).toEqual(['a.example.com/', 'b.example.com/']);
    expect(told(catalogue)).toEqual(['E512 b.yml:3']);
    expect(catalogue.diagnostics[0]?.message).toContain('a.yml:1:1');
  });

  it('reads much in threads, to the same result', async () => {
    const many = Array.from({ length: 400 }, (_, n) => `n${n}.example.com/`);
    await put('a.yml', ...many);
    await write('b.yml', 'self:\n  post_endpoint: https://example.com/\nb.example.com/: 5\n');
    const inline = new FolderLoader(dir, { inlineBytes: Number.POSITIVE_INFINITY });
    const here = await inline.load();
    expect(keys(here)).toHaveLength(400);
    expect(await loader.load()).toEqual(here);
  });
});

describe('defaults', () => {
  it('are those of defaults.yml for the checks of all files, which may say otherwise', async () => {
    await write('defaults.yml', 'defaults:\n  cron_schedule: "*/5 * * * *"\n  timeout: 3s\n');
    await write('a.yml', 'a.example.com/: {}\nb.example.com/: { timeout: 4s }\n');
    const { definitions } = await loader.load();
    expect(definitions.map(({ spec }) => [spec.schedule.cron, spec.request.timeoutMs])).toEqual([
      ['*/5 * * * *', 3000],
      ['*/5 * * * *', 4000],
    ]);
  });

  it('reach the checks of unchanged files when they change', async () => {
    await write('defaults.yml', 'defaults: { timeout: 3s }\n');
    await put('a.yml', 'a.example.com/');
    await loader.load();
    await write('defaults.yml', 'defaults: { timeout: 4s }\n');
    const { definitions } = await loader.load();
    expect(definitions[0]?.spec.request.timeoutMs).toBe(4000);
  });

  it('stay as they were while defaults.yml is bad', async () => {
    await write('defaults.yml', 'defaults: { timeout: 3s }\n');
    await put('a.yml', 'a.example.com/');
    await loader.load();
    await write('defaults.yml', 'defaults: { timout: 4s }\n');
    const catalogue = await loader.load();
    expect(told(catalogue)).toEqual(['E501 defaults.yml:1']);
    expect(catalogue.definitions[0]?.spec.request.timeoutMs).toBe(3000);
  });

  it('stand in their file alone', async () => {
    await write('defaults.yml', 'defaults: { timeout: 3s }\na.example.com/: {}\n');
    expect(told(await loader.load())).toEqual(['E513 defaults.yml:2']);
  });
});

describe('the digest', () => {
  it('does not change with comments, order and the file that a check is in', async () => {
    await put('a.yml', 'a.example.com/', 'b.example.com/');
    const { digest } = await loader.load();
    await put('a.yml', 'b.example.com/');
    await put('c.yml', 'a.example.com/');
    await write('d.yml', '# nothing\n');
    expect((await loader.load()).digest).toBe(digest);
  });

  it('leaves out a check that is there twice', async () => {
    await put('a.yml', 'a.example.com/');
    const { digest } = await loader.load();
    await put('b.yml', 'a.example.com/');
    expect((await loader.load()).digest).toBe(digest);
  });

  it('changes with a definition and with a self block', async () => {
    await put('a.yml', 'a.example.com/');
    const first = (await loader.load()).digest;
    await write('b.yml', 'self:\n  post_endpoint: https://example.com/\n');
    const second = (await loader.load()).digest;
    await write('a.yml', 'a.example.com/: { cron_schedule: "@hourly" }\n');
    const third = (await loader.load()).digest;
    expect(new Set([first, second, third]).size).toBe(3);
  });
});
