import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  descriptors,
  roomIn,
  testDescriptors,
  testListener,
  testNames,
  testNode,
  testState,
} from '../../../src/cli/doctor-tests.ts';
import { findingLine, summaryLine } from '../../../src/cli/doctor-text.ts';
import { examine, type Finding, type Test } from '../../../src/cli/examination.ts';
import type { Verification } from '../../../src/shared/sinks/destination.ts';
import { startDnsServer } from '../../support/dns-server.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const MIB = 1024 * 1024;

const named = (name: string, run: Test['run']): Test => ({ name, usedBy: '', run });
const answer = (message: string): Verification => ({ state: 'ok', message });

interface Answers {
  readonly first: PromiseWithResolvers<Verification>;
  readonly second: PromiseWithResolvers<Verification>;
}

/** Two tests, of which the second is done first. */
const examined = async (inOrder: boolean): Promise<readonly string[]> => {
  const { first, second }: Answers = {
    first: Promise.withResolvers(),
    second: Promise.withResolvers(),
  };
  const heard: string[] = [];
  const clock = new ManualClock();
  const examining = examine(
    [named('first', () => first.promise), named('second', () => second.promise)],
    { clock, limitMs: 10_000, inOrder, onFinding: ({ name }) => heard.push(name) },
  );
  second.resolve(answer('two'));
  await clock.advance(1);
  first.resolve(answer('one'));
  expect((await examining).map(({ name }) => name)).toEqual(['first', 'second']);
  return heard;
};

describe('an examination', () => {
  it('tells of findings as they come, or in the order of the tests', async () => {
    expect(await examined(false)).toEqual(['second', 'first']);
    expect(await examined(true)).toEqual(['first', 'second']);
  });

  it('runs all tests at once, and gives none more time than the limit', async () => {
    const clock = new ManualClock();
    const signals: AbortSignal[] = [];
    const hanging = named('hangs', (signal) => {
      signals.push(signal);
      return new Promise(() => {});
    });
    const examining = examine([hanging, hanging, named('well', async () => answer('fine'))], {
      clock,
      limitMs: 10_000,
      inOrder: true,
      onFinding: () => {},
    });
    await clock.advance(10_000);
    expect(await examining).toMatchObject([
      { state: 'failed', message: 'no answer within 10 s' },
      { state: 'failed' },
      { state: 'ok', message: 'fine' },
    ]);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
  });

  it('takes a test that throws for one that has failed', async () => {
    const broken = named('broken', async () => {
      throw new Error('this is why');
    });
    const options = { clock: new ManualClock(), limitMs: 1, inOrder: true, onFinding: () => {} };
    expect(await examine([broken], options)).toEqual([
      { name: 'broken', usedBy: '', state: 'failed', message: 'this is why' },
    ]);
  });
});

describe('a finding', () => {
  it('is one line, whatever a sink says', () => {
    const finding: Finding = {
      name: 'datadog series',
      usedBy: 'settings',
      state: 'failed',
      message: 'first\nsecond \u001b[31mred',
    };
    expect(findingLine(finding, { nameWidth: 16, stream: new PassThrough() })).toBe(
      'failed    datadog series    first second red (settings)',
    );
  });

  it('counts, the bad ones first', () => {
    const found = (['ok', 'failed', 'ok', 'untested'] as const).map(
      (state): Finding => ({ name: '', usedBy: '', state, message: '' }),
    );
    expect(summaryLine(found)).toBe('1 failed, 1 untested, 2 ok');
    expect(summaryLine(found.slice(0, 1))).toBe('1 ok');
  });
});

describe('the state folder', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(path.join(tmpdir(), 'watcher-doctor-'));
  });
  afterEach(() => rm(dir, { recursive: true }));

  it('can be written, and nothing is left in it', async () => {
    expect(await testState(dir)).toMatchObject({
      message: expect.stringContaining('can be written'),
    });
    expect(await readdir(dir)).toEqual([]);
  });

  it('is made for the test where it is not there yet, and not left behind', async () => {
    const finding = await testState(path.join(dir, 'a/b'));
    expect(finding.message).toContain('can be written');
    expect(await readdir(dir)).toEqual([]);
  });

  it('is no file, nor below one', async () => {
    await writeFile(path.join(dir, 'file'), '');
    expect(await testState(path.join(dir, 'file'))).toMatchObject({ state: 'failed' });
    expect(await testState(path.join(dir, 'file/x'))).toMatchObject({
      state: 'failed',
      message: expect.stringMatching(/cannot be written \(ENOTDIR\); name another with --state$/),
    });
  });

  it('keeps what is in it', async () => {
    await mkdir(path.join(dir, 'journal'));
    await testState(dir);
    expect(await readdir(dir)).toEqual(['journal']);
  });

  it('wants room', () => {
    expect(roomIn('d', 300 * MIB)).toEqual({
      state: 'ok',
      message: 'd can be written, 300.0 MiB free',
    });
    expect(roomIn('d', 300 * MIB - 1)).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('300.0 MiB are wanted'),
    });
  });

  it('is untested where there is none', async () => {
    expect(await testState(null)).toMatchObject({ state: 'untested' });
  });
});

describe('the listener', () => {
  let server: Server | undefined;
  afterEach(async () => {
    await new Promise((resolve) => (server ? server.close(resolve) : resolve(null)));
    server = undefined;
  });

  const listening = async (one: Server): Promise<number> => {
    server = one;
    await new Promise<void>((resolve) => one.listen(0, '127.0.0.1', resolve));
    return (one.address() as AddressInfo).port;
  };
  const tested = (port: number, host = '127.0.0.1') =>
    testListener({ host, port }, { isTls: false });

  it('finds its address free', async () => {
    expect(await tested(0)).toMatchObject({ state: 'ok', message: '127.0.0.1:0 is free' });
  });

  it('knows a running watcher by its health', async () => {
    const port = await listening(
      createHttpServer((_, response) => response.end('{"status":"ok","reason":null}')),
    );
    expect(await tested(port)).toMatchObject({
      state: 'ok',
      message: `127.0.0.1:${port} is in use by a running watcher`,
    });
  });

  it.each([
    ['that speaks HTTP', () => createHttpServer((_, response) => response.end('hello'))],
    ['that speaks JSON', () => createHttpServer((_, response) => response.end('{"ok":true}'))],
    ['that hangs up', () => createServer((socket) => socket.destroy())],
  ])('tells of another program %s', async (_, make) => {
    const port = await listening(make());
    expect(await tested(port)).toMatchObject({
      state: 'failed',
      message: `127.0.0.1:${port} is in use by another program; name another with --listen`,
    });
  });

  it('tells of an address that is not of this machine', async () => {
    expect(await tested(0, '192.0.2.1')).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('192.0.2.1:0 cannot be listened on (EADDRNOTAVAIL)'),
    });
  });
});

describe('the machine', () => {
  it.each([
    ['24.0.0', 'ok'],
    ['26.1.0', 'ok'],
    ['22.20.0', 'failed'],
  ])('has Node %s: %s', (version, state) => {
    expect(testNode(version)).toMatchObject({ state });
  });

  it.each([
    ['612', 256, 'ok'],
    ['611', 256, 'failed'],
    ['unlimited', 65_536, 'ok'],
  ])('may open %s files for concurrency %i: %s', (limit, concurrency, state) => {
    expect(descriptors(limit, concurrency)).toMatchObject({ state });
  });

  it('says how many files may be open', async () => {
    expect((await testDescriptors(1)).message).toMatch(/^(?:\d+|unlimited) may be open/);
  });

  it.each([
    ['known.test', 'ok', 'knows known.test'],
    ['unknown.test', 'ok', 'answers, and knows no IPv4 address of unknown.test'],
  ])('asks the name servers for %s: %s', async (name, state, message) => {
    const addressOf = (asked: string) => (asked === 'known.test' ? '127.0.0.1' : null);
    await using server = await startDnsServer({ addressOf });
    const address = `127.0.0.1:${server.port}`;
    expect(await testNames(address, name)).toEqual({ state, message: `${address} ${message}` });
  });

  it('tells of a name server that is not there', async () => {
    const { port } = await startDnsServer({ addressOf: () => null }).then(async (server) => {
      await server[Symbol.asyncDispose]();
      return server;
    });
    expect(await testNames(`127.0.0.1:${port}`, 'a.test')).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('does not answer for a.test'),
    });
  });

  it('asks no name server where no check has a name', async () => {
    expect(await testNames('own', undefined)).toMatchObject({ state: 'untested' });
  });
});
