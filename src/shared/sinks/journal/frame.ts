/**
 * The text of the journal: one line a frame, so that people can read it. Router → **journal** →
 * deliveries.
 *
 *     0000004f 1c291ca3 D 0 ["8f14e45fceea167a"]
 *     000001fa 7d1e0c55 R 17 1767225600000 0 0 {"emission":{...},"bodies":null}
 *     0000001f 5b0c9a11 A {"8f14e45fceea167a":[17,17]}
 *
 * Bytes of the body and CRC32 of the body in hexadecimal, then the body: its first letter says what
 * it is. `D` gives a list of destinations the number by which the records after it refer to it; `R`
 * is a record: seq, instant, urgent, list of destinations, JSON; `A` says who is done with which
 * ranges of seqs, first and last of each.
 */

import { crc32 } from 'node:zlib';
import type { DestinationId } from '../../domain/delivery.ts';

/** Two numbers of eight digits, each with its space. */
const HEADER_BYTES = 18;
const NEWLINE = 10;
const SPACE = 32;

export interface RecordHeader {
  readonly seq: number;
  /** Ms since the epoch. */
  readonly at: number;
  readonly urgent: boolean;
  /** Index of its list of destinations. */
  readonly route: number;
}

/** `bytes` is the text's length in UTF-8. */
export interface Frame {
  readonly text: string;
  readonly bytes: number;
}

export type AckRanges = Readonly<Record<DestinationId, readonly number[]>>;

const hex = (n: number): string => n.toString(16).padStart(8, '0');

const frame = (body: string): Frame => {
  const length = Buffer.byteLength(body);
  return {
    text: `${hex(length)} ${hex(crc32(body))} ${body}\n`,
    bytes: HEADER_BYTES + length + 1,
  };
};

export const recordFrame = ({ seq, at, urgent, route }: RecordHeader, json: string): Frame =>
  frame(`R ${seq} ${at} ${urgent ? 1 : 0} ${route} ${json}`);

export const routeFrame = (route: number, destinations: readonly DestinationId[]): Frame =>
  frame(`D ${route} ${JSON.stringify(destinations)}`);

export const ackFrame = (ranges: AckRanges): Frame => frame(`A ${JSON.stringify(ranges)}`);

/**
 * Where the body of the frame at `at` ends, or -1 where there is no whole and sound frame. What
 * follows the body is not looked at: a damaged newline costs no frame.
 */
export const bodyEnd = (bytes: Buffer, at: number): number => {
  const start = at + HEADER_BYTES;
  if (start > bytes.length || bytes[at + 8] !== SPACE || bytes[at + 17] !== SPACE) return -1;
  const end = start + Number(`0x${bytes.toString('latin1', at, at + 8)}`);
  // NaN compares as false.
  if (!(end > start && end <= bytes.length)) return -1;
  const crc = Number(`0x${bytes.toString('latin1', at + 9, at + 17)}`);
  return crc32(bytes.subarray(start, end)) === crc ? end : -1;
};

/** Where the frame after the one whose body ends at `end` starts. */
export const nextFrame = (end: number): number => end + 1;

/** Of a sound frame: `R`, `D`, `A`, or what a later version may write. */
export const kindOf = (bytes: Buffer, at: number): string =>
  bytes.toString('latin1', at + HEADER_BYTES, at + HEADER_BYTES + 2);

/** Of a sound record: its header, and where its JSON starts. */
export const recordAt = (bytes: Buffer, at: number): RecordHeader & { readonly json: number } => {
  const start = at + HEADER_BYTES + 2;
  let json = start;
  for (let field = 0; field < 4; field++) json = bytes.indexOf(SPACE, json) + 1;
  const fields = bytes.toString('latin1', start, json - 1).split(' ');
  return {
    seq: Number(fields[0]),
    at: Number(fields[1]),
    urgent: fields[2] === '1',
    route: Number(fields[3]),
    json,
  };
};

/** Of a sound frame of destinations: number and list. */
export const routeAt = (
  bytes: Buffer,
  at: number,
  end: number,
): readonly [number, readonly DestinationId[]] => {
  const start = at + HEADER_BYTES + 2;
  const space = bytes.indexOf(SPACE, start);
  return [
    Number(bytes.toString('latin1', start, space)),
    JSON.parse(bytes.toString('utf8', space + 1, end)),
  ];
};

/** Of a sound frame of acknowledgements. */
export const acksAt = (bytes: Buffer, at: number, end: number): AckRanges =>
  JSON.parse(bytes.toString('utf8', at + HEADER_BYTES + 2, end));

/** Where the next line starts, or -1. */
export const nextLine = (bytes: Buffer, at: number): number => bytes.indexOf(NEWLINE, at) + 1 || -1;
