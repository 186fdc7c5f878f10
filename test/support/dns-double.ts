/** A DNS server that says what it is told: records with a TTL, errors, or nothing. */

import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';

export interface DnsAnswer {
  /** Addresses; those of the family that is asked for are sent. */
  readonly addresses?: readonly string[];
  readonly ttlSeconds?: number;
  /** Default: no error. */
  readonly error?: 'SERVFAIL' | 'NXDOMAIN' | 'REFUSED';
  readonly silent?: boolean;
}

export interface DnsDouble extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly at: string;
  /** Each question so far, as `name A` or `name AAAA`. */
  readonly questions: readonly string[];
  set(name: string, answer: DnsAnswer): void;
}

const RCODES = { SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 };
const AAAA = 28;
const HEADER_BYTES = 12;

/** Names that nothing was said about do not exist. */
export async function startDnsDouble(
  table: Readonly<Record<string, DnsAnswer>> = {},
): Promise<DnsDouble> {
  const answers = new Map(Object.entries(table));
  const questions: string[] = [];
  const socket = createSocket('udp4');
  socket.on('message', (query: Buffer, from: RemoteInfo) => {
    const { name, end } = questionOf(query);
    const isV6 = query.readUInt16BE(end - 4) === AAAA;
    questions.push(`${name} ${isV6 ? 'AAAA' : 'A'}`);
    const answer = answers.get(name) ?? { error: 'NXDOMAIN' };
    if (answer.silent !== true)
      socket.send(replyTo(query, end, isV6, answer), from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    at: `127.0.0.1:${socket.address().port}`,
    questions,
    set: (name, answer) => answers.set(name, answer),
    [Symbol.asyncDispose]: async () => {
      socket.close();
      await once(socket, 'close');
    },
  };
}

function replyTo(query: Buffer, end: number, isV6: boolean, answer: DnsAnswer): Buffer {
  const { addresses = [], ttlSeconds = 60, error } = answer;
  const sent = addresses.filter((address) => isIPv6(address) === isV6);
  const head = Buffer.from(query.subarray(0, end));
  head.writeUInt16BE(0x8180 | (error === undefined ? 0 : RCODES[error]), 2);
  head.writeUInt16BE(sent.length, 6);
  // No authority and no additional section, whatever the question had.
  head.writeUInt32BE(0, 8);
  return Buffer.concat([head, ...sent.map((address) => recordOf(address, isV6, ttlSeconds))]);
}

function recordOf(address: string, isV6: boolean, ttlSeconds: number): Buffer {
  const data = isV6 ? bytesOfV6(address) : Buffer.from(address.split('.').map(Number));
  const record = Buffer.alloc(12);
  // The name: a pointer to that of the question.
  record.writeUInt16BE(0xc000 | HEADER_BYTES, 0);
  record.writeUInt16BE(isV6 ? AAAA : 1, 2);
  record.writeUInt16BE(1, 4);
  record.writeUInt32BE(ttlSeconds, 6);
  record.writeUInt16BE(data.length, 10);
  return Buffer.concat([record, data]);
}

/** Of an address in full or with one `::`. */
function bytesOfV6(address: string): Buffer {
  const [head = '', tail = ''] = address.split('::');
  const groups = (text: string) => text.split(':').filter((group) => group !== '');
  const bytes = Buffer.alloc(16);
  groups(head).forEach((group, at) => {
    bytes.writeUInt16BE(Number.parseInt(group, 16), at * 2);
  });
  groups(tail)
    .reverse()
    .forEach((group, at) => {
      bytes.writeUInt16BE(Number.parseInt(group, 16), 14 - at * 2);
    });
  return bytes;
}

function questionOf(query: Buffer): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 5 };
}
