/** A resolver of our own: answers every name with an address of ours, as late as it is told. */

import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';

export interface DnsServerOptions {
  /** Free ports are for resolvers that take a port; 53 needs a namespace. */
  readonly port?: number;
  readonly address?: string;
  readonly delayMs?: number;
  /** The IPv4 address of a name, or null when there is no such name. */
  readonly addressOf: (name: string) => string | null;
}

export interface DnsServer extends AsyncDisposable {
  readonly port: number;
  readonly queries: () => number;
}

const HEADER = 12;
const TYPE_A = 1;
const NO_SUCH_NAME = 3;
const TTL_SECONDS = 60;

export async function startDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  const socket = createSocket('udp4');
  let queries = 0;
  socket.on('message', (query: Buffer, from: RemoteInfo) => {
    queries += 1;
    const reply = () => socket.send(answerTo(query, options.addressOf), from.port, from.address);
    setTimeout(reply, options.delayMs ?? 0);
  });
  socket.bind(options.port ?? 0, options.address ?? '127.0.0.1');
  await once(socket, 'listening');
  return {
    port: socket.address().port,
    queries: () => queries,
    [Symbol.asyncDispose]: async () => {
      socket.close();
      await once(socket, 'close');
    },
  };
}

/** The query with the answer bit set; one A record, or none for other types and unknown names. */
function answerTo(query: Buffer, addressOf: DnsServerOptions['addressOf']): Buffer {
  const { name, end } = questionOf(query);
  const address = addressOf(name);
  const isAddress = query.readUInt16BE(end - 4) === TYPE_A && address !== null;
  const head = Buffer.from(query.subarray(0, end));
  head.writeUInt16BE(0x8180 | (address === null ? NO_SUCH_NAME : 0), 2);
  head.writeUInt16BE(isAddress ? 1 : 0, 6);
  // The client's extension record (EDNS) is dropped.
  head.writeUInt32BE(0, 8);
  return isAddress ? Buffer.concat([head, recordOf(address)]) : head;
}

function questionOf(query: Buffer): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = HEADER;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 5 };
}

function recordOf(address: string): Buffer {
  const record = Buffer.alloc(16);
  // A pointer to the name of the question.
  record.writeUInt16BE(0xc000 | HEADER, 0);
  record.writeUInt16BE(TYPE_A, 2);
  record.writeUInt16BE(1, 4);
  record.writeUInt32BE(TTL_SECONDS, 6);
  record.writeUInt16BE(4, 10);
  record.set(address.split('.').map(Number), 12);
  return record;
}
