/** Content encodings of a response body: nobody asks for them, but they are undone when they come. */

import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import type { Problem } from './problem.ts';

export interface Decoded {
  readonly body: Buffer;
  /** The body goes on after what is here. */
  readonly isCut: boolean;
}

type DecodedCallback = (decoded: Decoded | Problem) => void;

/** Nested encodings are a way to make a small body huge. */
const MOST_ENCODINGS = 2;

/** `isCut`: the input ends in the middle of a block, and what can be read of it is read. */
type MakeDecoder = (input: Buffer, isCut: boolean) => Transform;

const flush = (isCut: boolean): zlib.ZlibOptions =>
  isCut ? { finishFlush: zlib.constants.Z_SYNC_FLUSH } : {};

const gunzip: MakeDecoder = (_, isCut) => zlib.createGunzip(flush(isCut));

/** Half of the servers that say "deflate" leave its envelope out. */
const inflate: MakeDecoder = (input, isCut) =>
  hasZlibHeader(input) ? zlib.createInflate(flush(isCut)) : zlib.createInflateRaw(flush(isCut));

const unbrotli: MakeDecoder = (_, isCut) =>
  zlib.createBrotliDecompress(isCut ? { finishFlush: zlib.constants.BROTLI_OPERATION_FLUSH } : {});

const DECODERS = new Map<string, MakeDecoder>([
  ['gzip', gunzip],
  ['x-gzip', gunzip],
  ['deflate', inflate],
  ['br', unbrotli],
]);

const hasZlibHeader = ([first = 0, second = 0]: Buffer): boolean =>
  (first & 15) === 8 && ((first << 8) | second) % 31 === 0;

const encodingsOf = (header: string | readonly string[] | undefined): string[] =>
  String(header ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && name !== 'identity');

/**
 * Undoes the encodings that a `content-encoding` header names, the last one first, and never makes
 * more than `capBytes` of a body. `done` is called once, before the return when there is nothing to do.
 */
export const decodeBody = (
  header: string | readonly string[] | undefined,
  input: Decoded,
  capBytes: number,
  done: DecodedCallback,
): void => {
  const names = header === undefined || input.body.length === 0 ? [] : encodingsOf(header);
  if (names.length > MOST_ENCODINGS) return done(undecodable('more than two nested encodings'));
  const step = (decoded: Decoded | Problem): void => {
    const name = 'code' in decoded ? undefined : names.pop();
    if ('code' in decoded || name === undefined) return done(decoded);
    const make = DECODERS.get(name);
    if (make === undefined)
      return done(undecodable(`encoding ${JSON.stringify(name.slice(0, 40))}`));
    runDecoder(make(decoded.body, decoded.isCut), decoded, capBytes, step);
  };
  step(input);
};

const runDecoder = (
  decoder: Transform,
  input: Decoded,
  capBytes: number,
  done: DecodedCallback,
): void => {
  const pieces: Buffer[] = [];
  let length = 0;
  let isDone = false;
  const finish = (result: Decoded | Problem): void => {
    if (isDone) return;
    isDone = true;
    done(result);
  };
  decoder.on('data', (piece: Buffer) => {
    pieces.push(piece);
    length += piece.length;
    if (length <= capBytes) return;
    decoder.destroy();
    finish({ body: Buffer.concat(pieces, capBytes), isCut: true });
  });
  decoder.on('end', () => finish({ body: Buffer.concat(pieces), isCut: input.isCut }));
  decoder.on('error', (error) => finish(undecodable(codeOf(error))));
  decoder.end(input.body);
};

const codeOf = (error: Error): string => ('code' in error ? String(error.code) : error.name);

const undecodable = (why: string): Problem => ({
  code: 'encoding',
  detail: `the body cannot be decoded: ${why}`,
});
