import { execFile } from 'node:child_process';
import {
  appendFile,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { JsonlSink } from '../../../src/shared/domain/sink-settings.ts';
import type { Destination, DestinationContext } from '../../../src/shared/sinks/destination.ts';
import { jsonFileDestination } from '../../../src/shared/sinks/json/json-file.ts';
import { jsonLine } from '../../../src/shared/sinks/json/json-line.ts';
import { anEmission, aResult, aSelfEmission } from '../../support/builders.ts';
import { anItem, never, sendAll } from './http/sending.ts';

const run = promisify(execFile);

let folder = '';
let file = '';

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'watcher-jsonl-'));
  file = path.join(folder, 'results.jsonl');
});

afterEach(() => rm(folder, { recursive: true }));

const aFile = (overrides: Partial<JsonlSink> = {}): Destination<Buffer> =>
  jsonFileDestination(
    { kind: 'jsonl', path: file, maxBytes: 1_000_000, keep: 3, ...overrides },
    {} as DestinationContext,
  );

/** Lines all of the same length. */
const lineOf = (n: number): string => jsonLine(aResult({ check: `c${100 + n}` }));
const items = (...numbers: readonly number[]) =>
  numbers.map((n) => anItem(anEmission({ check: `c${100 + n}` }), null, n));
const LINE_BYTES = lineOf(0).length;
const LINES = (...numbers: readonly number[]) => numbers.map(lineOf).join('');

const textOf = (name = file): Promise<string> => readFile(name, 'utf8');

it('appends the line of each result', async () => {
  await using destination = aFile();
  await writeFile(file, 'what was there\n');
  expect(await sendAll(destination, items(1, 2))).toEqual([{ kind: 'delivered' }]);
  expect(await sendAll(destination, items(3))).toEqual([{ kind: 'delivered' }]);
  expect(await textOf()).toBe(`what was there\n${LINES(1, 2, 3)}`);
});

it('makes a file that only its owner reads', async () => {
  await using destination = aFile();
  await sendAll(destination, items(1));
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

it('wants results only', () => {
  const destination = aFile();
  expect(destination.wants(anEmission())).toBe(true);
  expect(destination.wants(aSelfEmission())).toBe(false);
});

it('writes many results in few calls, each of bounded size, in their order', () => {
  const destination = aFile();
  const many = items(...Array.from({ length: 2_500 }, (_, n) => n));
  const calls = destination.encode(many);
  expect(calls.length).toBeLessThan(5);
  expect(calls.flatMap(({ items: carried }) => carried)).toEqual(many);
  for (const { bytes, payload, items: carried } of calls) {
    expect(carried.length).toBeLessThanOrEqual(destination.maxItems);
    expect(bytes).toBe(payload.length);
  }
  const large = Array.from({ length: 30 }, () =>
    anItem(anEmission({ reason: 'é'.repeat(10_000) })),
  );
  const largeCalls = destination.encode(large);
  expect(largeCalls.length).toBe(3);
  for (const { bytes } of largeCalls) expect(bytes).toBeLessThanOrEqual(destination.maxCallBytes);
});

it('rotates before a file grows beyond its size, and keeps as many as it is told to', async () => {
  await using destination = aFile({ maxBytes: 2 * LINE_BYTES, keep: 2 });
  for (const n of [1, 2, 3, 4, 5, 6, 7]) await sendAll(destination, items(n));
  expect(await textOf()).toBe(LINES(7));
  expect(await textOf(`${file}.1`)).toBe(LINES(5, 6));
  expect(await textOf(`${file}.2`)).toBe(LINES(3, 4));
  await expect(stat(`${file}.3`)).rejects.toThrow('ENOENT');
});

it('keeps none when it is told to', async () => {
  await using destination = aFile({ maxBytes: 2 * LINE_BYTES, keep: 0 });
  for (const n of [1, 2, 3]) await sendAll(destination, items(n));
  expect(await textOf()).toBe(LINES(3));
  await expect(stat(`${file}.1`)).rejects.toThrow('ENOENT');
});

it('rotates on when somebody has taken rotated files away', async () => {
  await using destination = aFile({ maxBytes: LINE_BYTES, keep: 3 });
  for (const n of [1, 2, 3, 4]) await sendAll(destination, items(n));
  await rm(`${file}.1`);
  await sendAll(destination, items(5));
  expect(await textOf(`${file}.1`)).toBe(LINES(4));
  expect(await textOf(`${file}.3`)).toBe(LINES(2));
});

it('makes no call for what no file may hold, and calls that one file may', () => {
  const destination = aFile({ maxBytes: 2 * LINE_BYTES });
  const tooLarge = anItem(anEmission({ reason: 'x'.repeat(2 * LINE_BYTES) }), null, 2);
  const [one, three, four] = items(1, 3, 4);
  const given = [one, tooLarge, three, four].filter((item) => item !== undefined);
  const calls = destination.encode(given);
  expect(calls.map(({ items: carried }) => carried)).toEqual([[one, three], [four]]);
});

it('writes to the new file when the old one was moved away', async () => {
  await using destination = aFile();
  await sendAll(destination, items(1));
  await rename(file, `${file}.moved`);
  await sendAll(destination, items(2));
  await writeFile(`${file}.other`, '');
  await rename(`${file}.other`, file);
  await sendAll(destination, items(3));
  expect(await textOf(`${file}.moved`)).toBe(LINES(1));
  expect(await textOf()).toBe(LINES(3));
});

it('begins a new line after one that a killed process left half written', async () => {
  await using destination = aFile();
  await appendFile(file, '{"check":"ha');
  await sendAll(destination, items(1));
  expect(await textOf()).toBe(`{"check":"ha\n${LINES(1)}`);
});

it('takes half a line back when the file can grow no further, and goes on when it can', async () => {
  const script = `
    import { jsonFileDestination } from ${JSON.stringify(moduleOf('src/shared/sinks/json/json-file.ts'))};
    import { anEmission } from ${JSON.stringify(moduleOf('test/support/builders.ts'))};
    const sink = { kind: 'jsonl', path: process.argv[1], maxBytes: 1e9, keep: 1 };
    const destination = jsonFileDestination(sink, {});
    const signal = new AbortController().signal;
    const outcomes = [];
    for (const reason of ['a', 'b'.repeat(9_000), 'c']) {
      const [call] = destination.encode([{ seq: 1, emission: anEmission({ reason }), body: null }]);
      outcomes.push(await destination.send(call, signal));
    }
    console.log(JSON.stringify(outcomes));
  `;
  // Blocks of 512 or 1,024 bytes.
  const limited = ['-c', 'ulimit -f 8 && exec "$0" "$@"', process.execPath];
  const { stdout } = await run('sh', [...limited, '--input-type=module', '-e', script, file]);
  expect(JSON.parse(stdout)).toEqual([
    { kind: 'delivered' },
    { kind: 'retry', reason: `${file}: the file is as large as this process may make it` },
    { kind: 'delivered' },
  ]);
  const lines = (await textOf()).trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line).reason)).toEqual(['a', 'c']);
});

const moduleOf = (name: string): string => new URL(`../../../${name}`, import.meta.url).href;

it.each<[string, () => Promise<string>]>([
  ['its folder does not exist', async () => path.join(folder, 'none', 'x')],
  [
    'its folder is a file',
    async () => {
      await writeFile(file, '');
      return path.join(file, 'x');
    },
  ],
  [
    'it is a folder',
    async () => {
      await mkdir(file);
      return file;
    },
  ],
  [
    'it is not a regular file',
    async () => {
      await run('mkfifo', [file]);
      return file;
    },
  ],
  ['it is not a regular file', async () => '/dev/full'],
])('says that %s, and tries again later', async (why, make) => {
  const where = await make();
  await using destination = aFile({ path: where });
  const reason = `${where}: ${why}`;
  expect(await sendAll(destination, items(1))).toEqual([{ kind: 'retry', reason }]);
  expect(await destination.verify(never)).toMatchObject({
    state: 'failed',
    message: expect.stringContaining(reason),
  });
});

it('goes on as soon as its folder is there again', async () => {
  const where = path.join(folder, 'new', 'results.jsonl');
  await using destination = aFile({ path: where });
  expect(await sendAll(destination, items(1))).toMatchObject([{ kind: 'retry' }]);
  await mkdir(path.dirname(where));
  expect(await sendAll(destination, items(1))).toEqual([{ kind: 'delivered' }]);
  expect(await textOf(where)).toBe(LINES(1));
});

it('writes nothing when it is told to end first', async () => {
  await using destination = aFile();
  const outcomes = await sendAll(destination, items(1), AbortSignal.abort());
  expect(outcomes).toEqual([{ kind: 'retry', reason: `${file}: watcher is ending` }]);
  await expect(stat(file)).rejects.toThrow('ENOENT');
});

it('finds that it can write, and writes nothing for that', async () => {
  await using destination = aFile();
  await writeFile(file, 'a\n');
  expect(await destination.verify(never)).toMatchObject({ state: 'ok' });
  expect(await textOf()).toBe('a\n');
});

it('is one destination a path', () => {
  expect(aFile().id).toBe(aFile({ keep: 9 }).id);
  expect(aFile().id).not.toBe(aFile({ path: `${file}.x` }).id);
});
