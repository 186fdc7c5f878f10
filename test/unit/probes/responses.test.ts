import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import {
  closingWith,
  keepingWith,
  response,
  type Script,
  startHttpTarget,
} from '../../support/http-target.ts';
import { aProbe, gist, observe } from '../../support/probing.ts';

const probe = aProbe();
afterAll(() => probe.close());

const MIB = 1024 * 1024;

const encoded = (body: Buffer, encoding: string): Buffer =>
  Buffer.concat([
    Buffer.from(`HTTP/1.1 200 OK\r\ncontent-encoding: ${encoding}\r\n`),
    Buffer.from(`content-length: ${body.length}\r\n\r\n`),
    body,
  ]);

const chunked = (text: string): string =>
  `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${text}`;

/** Sends the text, then resets the connection. */
const resettingAfter =
  (text: string): Script =>
  ({ socket }) => {
    socket.write(text);
    setImmediate(() => socket.resetAndDestroy());
  };

/** Writes for as long as the other side reads. */
const endless =
  (head: string, piece: string): Script =>
  ({ socket }) => {
    const more = (): void => {
      while (!socket.destroyed && socket.write(piece));
    };
    socket.write(head);
    socket.on('drain', more);
    more();
  };

/** A piece every few milliseconds, for ever. */
const dripping =
  (head: string): Script =>
  ({ socket }) => {
    socket.write(head);
    const timer = setInterval(() => socket.write('x'), 20);
    socket.on('close', () => clearInterval(timer));
  };

const silent: Script = () => {};

/** What the target does -> what the run says of it. */
const RESPONSES: readonly (readonly [behaviour: string, script: Script, says: string])[] = [
  ['a plain answer', closingWith(response('fine')), '200 fine'],
  ['an answer in chunks', closingWith(chunked('2\r\nfi\r\n2\r\nne\r\n0\r\n\r\n')), '200 fine'],
  ['chunks with trailers', closingWith(chunked('4\r\nfine\r\n0\r\nx: y\r\n\r\n')), '200 fine'],
  ['an empty chunked body', closingWith(chunked('0\r\n\r\n')), '200'],
  ['a body that the close ends', closingWith('HTTP/1.1 200 OK\r\n\r\nfine'), '200 fine'],
  ['HTTP/1.0', closingWith('HTTP/1.0 200 OK\r\n\r\nfine'), '200 fine'],
  ['no reason phrase', closingWith('HTTP/1.1 200\r\ncontent-length: 4\r\n\r\nfine'), '200 fine'],
  ['204', closingWith('HTTP/1.1 204 No Content\r\n\r\n'), '204'],
  ['304', closingWith('HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n'), '304'],
  ['an error status', closingWith(response('broken', {}, '500 Oops')), '500 broken'],
  [
    'a redirect that is not to be followed',
    closingWith(response('', { location: '/x' }, '302 Found')),
    '302',
  ],
  ['an answer that ignores "connection: close"', keepingWith(response('fine')), '200 fine'],
  [
    '1,000 cookies',
    closingWith(
      response('fine', { 'set-cookie': 'a=b' }).replace(
        'set-cookie: a=b\r\n',
        'set-cookie: a=b\r\n'.repeat(900),
      ),
    ),
    '200 fine',
  ],
  [
    'ten early hints',
    closingWith('HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(10) + response('fine')),
    '200 fine',
  ],

  ['a body of exactly the cap', closingWith(response('x'.repeat(MIB))), `200 ${'x'.repeat(MIB)}`],
  [
    'a body one byte longer than the cap',
    closingWith(response('x'.repeat(MIB + 1))),
    '200 oversize',
  ],
  ['an endless body', endless('HTTP/1.1 200 OK\r\n\r\n', 'x'.repeat(65_536)), '200 oversize'],
  ['endless chunks', endless(chunked(''), `10000\r\n${'x'.repeat(65_536)}\r\n`), '200 oversize'],
  ['gzip', closingWith(encoded(gzipSync('fine'), 'gzip')), '200 fine'],
  ['brotli', closingWith(encoded(brotliCompressSync('fine'), 'br')), '200 fine'],
  ['deflate with its envelope', closingWith(encoded(deflateSync('fine'), 'deflate')), '200 fine'],
  ['deflate without', closingWith(encoded(deflateRawSync('fine'), 'deflate')), '200 fine'],
  [
    'two encodings',
    closingWith(encoded(gzipSync(deflateSync('fine')), 'deflate, gzip')),
    '200 fine',
  ],
  [
    'a bomb of gzip',
    closingWith(encoded(gzipSync(Buffer.alloc(100 * MIB)), 'gzip')),
    '200 oversize',
  ],
  [
    'a bomb of brotli',
    closingWith(encoded(brotliCompressSync(Buffer.alloc(20 * MIB)), 'br')),
    '200 oversize',
  ],
  [
    'gzip that ends too early',
    closingWith(encoded(gzipSync('fine'.repeat(99)).subarray(0, -20), 'gzip')),
    'encoding',
  ],
  ['gzip that is none', closingWith(encoded(Buffer.from('fine'), 'gzip')), 'encoding'],
  [
    'three encodings',
    closingWith(encoded(gzipSync(gzipSync(gzipSync('fine'))), 'gzip, gzip, gzip')),
    'encoding',
  ],
  [
    'six encodings',
    closingWith(encoded(Buffer.from('x'), 'gzip,gzip,gzip,gzip,gzip,gzip')),
    'encoding',
  ],
  ['an unknown encoding', closingWith(encoded(Buffer.from('fine'), 'rot13')), 'encoding'],

  ['a close before any byte', ({ socket }) => socket.end(), 'closed'],
  ['a reset before any byte', ({ socket }) => socket.resetAndDestroy(), 'reset'],
  ['a close inside the headers', closingWith('HTTP/1.1 200 OK\r\ncontent-le'), 'truncated'],
  [
    'a close inside the body',
    closingWith('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nfi'),
    'truncated',
  ],
  [
    'a close inside an announced last body',
    closingWith(response('fi', { 'content-length': 9, connection: 'close' })),
    'truncated',
  ],
  [
    'a close inside an announced last chunk',
    closingWith(chunked('9\r\nfi').replace('transfer', 'connection: close\r\ntransfer')),
    'truncated',
  ],
  ['a close inside a chunk', closingWith(chunked('9\r\nfi')), 'truncated'],
  ['a close before the last chunk', closingWith(chunked('2\r\nfi\r\n')), 'truncated'],
  [
    'a reset inside the body',
    resettingAfter('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nfi'),
    'reset',
  ],
  [
    'a reset in place of the close that ends the body',
    resettingAfter('HTTP/1.1 200 OK\r\n\r\nfi'),
    'reset',
  ],

  ['silence', silent, 'timeout_first_byte'],
  [
    'a body that stops',
    keepingWith('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nfi'),
    'timeout_body',
  ],
  ['a body that drips', dripping('HTTP/1.1 200 OK\r\n\r\n'), 'timeout_body'],
  ['headers that drip', dripping('HTTP/1.1 200 OK\r\nx: '), 'timeout_body'],

  ['garbage', closingWith('this is not HTTP\r\n\r\n'), 'protocol'],
  ['binary garbage', closingWith(Buffer.from([0, 255, 1, 254, 13, 10])), 'protocol'],
  ['an SSH banner', keepingWith('SSH-2.0-OpenSSH_9.2\r\n'), 'protocol'],
  ['HTTP/9.9', closingWith('HTTP/9.9 200 OK\r\n\r\n'), 'protocol'],
  ['a status that is no number', closingWith('HTTP/1.1 abc OK\r\n\r\n'), 'protocol'],
  ['a header without a colon', closingWith('HTTP/1.1 200 OK\r\nbroken\r\n\r\n'), 'protocol'],
  [
    'a length that is no number',
    closingWith('HTTP/1.1 200 OK\r\ncontent-length: 4x\r\n\r\nfine'),
    'protocol',
  ],
  [
    'two lengths',
    closingWith('HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nfine'),
    'protocol',
  ],
  [
    'a length and chunks',
    closingWith(
      'HTTP/1.1 200 OK\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ),
    'protocol',
  ],
  [
    'chunks and a length',
    closingWith(
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n',
    ),
    'protocol',
  ],
  ['a chunk size that is no number', closingWith(chunked('zz\r\nfine\r\n')), 'protocol'],
  ['more than it announced', closingWith(`${response('fine')}more`), 'protocol'],
  ['a second answer', closingWith(response('fine') + response('fine')), 'protocol'],
  ['a second answer behind an empty one', closingWith(response('') + response('')), 'protocol'],
  ['bytes behind the last chunk', closingWith(chunked('4\r\nfine\r\n0\r\n\r\nmore')), 'protocol'],
  ['1 MiB of headers', closingWith(response('fine', { x: 'y'.repeat(MIB) })), 'protocol'],
  [
    '10,000 headers',
    closingWith(`HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(10_000)}\r\n`),
    'protocol',
  ],
  ['1 MiB of trailers', closingWith(chunked(`0\r\nx: ${'y'.repeat(MIB)}\r\n\r\n`)), 'protocol'],
  [
    'eleven early hints',
    closingWith('HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(11) + response('fine')),
    'protocol',
  ],
  ['endless early hints', endless('', 'HTTP/1.1 103 Early Hints\r\n\r\n'), 'protocol'],
  [
    '101 unasked',
    closingWith('HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'),
    'protocol',
  ],
  ['an HTTP/2 preface', keepingWith('\0\0\x12\x04\0\0\0\0\0\0\0'), 'protocol'],
];

/** These end by the deadline, so it is short; the others must never come near theirs. */
const timeoutFor = (says: string): number => (says.startsWith('timeout_') ? 150 : 5_000);

describe.each(['fresh', 'reuse'] as const)('a response to a %s connection', (connection) => {
  it.each(RESPONSES)('%s', async (_, script, says) => {
    await using target = await startHttpTarget(script);
    const request = { connection, timeoutMs: timeoutFor(says) };
    const observed = async () => gist(await observe(probe, `${target.at}/health`, request));
    // A machine that does other work for a third of a short deadline says so, and is asked again.
    let gisted = await observed();
    for (let n = 0; n < 5 && gisted === 'checker_blocked'; n += 1) gisted = await observed();
    expect(gisted).toBe(says);
  });

  it('leaves no connection behind that the target did not end well', async () => {
    await using target = await startHttpTarget(keepingWith(`${response('fine')}more`));
    await observe(probe, `${target.at}/`, { connection });
    target.answer(keepingWith(response('fine')));
    expect(gist(await observe(probe, `${target.at}/`, { connection }))).toBe('200 fine');
    expect(target.connections()).toBe(2);
  });
});
