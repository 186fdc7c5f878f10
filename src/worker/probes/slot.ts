/**
 * An undici Client whose connections are opened by whatever exchange holds it. Its own origin means
 * nothing, so one list of slots serves any number of targets: a Client or Pool for each of them would
 * cost more than the request.
 */

import type { Socket } from 'node:net';
import { type buildConnector, Client } from 'undici';
import type { Channel } from './channel.ts';

/** The exchange that holds the slot opens its connection. */
export interface SlotHolder {
  open(callback: buildConnector.Callback): void;
}

/** What is known of an open connection. */
export interface Opened {
  readonly address: string;
  /** Ms since the epoch. */
  readonly certificateExpiresAt: number | undefined;
}

/** Where the connections of a slot lead, and the slots that lead there. */
export interface Route {
  readonly channel: Channel;
  readonly origin: string;
  /** The one that was used last is taken first. */
  readonly idle: Slot[];
  /** How many there are, idle or not. */
  slots: number;
}

const MAX_HEADER_BYTES = 16 * 1024;

/** Under the idle time of common servers and balancers (60 to 75 s); shorter ones announce theirs. */
const IDLE_MS = 55_000;

export class Slot {
  readonly client: Client;
  /** Null for a slot whose connections serve one request each. */
  readonly route: Route | null;
  holder: SlotHolder | null = null;
  socket: Socket | null = null;
  /** Neighbours among idle slots; they belong to the list of those. */
  older: Slot | null = null;
  newer: Slot | null = null;
  isIdle = false;
  /** What waits for the connection to be closed. */
  afterClose: (() => void) | null = null;
  /** The bytes that the socket gave last; their end tells whether more came than was announced. */
  lastRead: Buffer = EMPTY;
  /** The target closed the connection while nobody used it. */
  metClosed = false;
  /** Of the connection. */
  address = '';
  certificateExpiresAt: number | undefined;

  /** `onClosed` hears of each connection's end. */
  constructor(route: Route | null, onClosed: (slot: Slot) => void) {
    this.route = route;
    this.client = new Client('http://slot', {
      pipelining: route === null ? 0 : 1,
      keepAliveTimeout: IDLE_MS,
      // The deadline of the run covers both.
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: MAX_HEADER_BYTES,
      allowH2: false,
      connect: (_options: buildConnector.Options, callback: buildConnector.Callback) =>
        this.holder?.open(callback),
    });
    this.client.on('disconnect', (_origin, _targets, error) => {
      this.socket = null;
      this.metClosed = error.code !== CLOSED_BY_US;
      onClosed(this);
    });
  }

  /** Hands the open socket to undici and keeps an eye on what it reads. */
  attach(socket: Socket, opened: Opened, callback: buildConnector.Callback): void {
    this.socket = socket;
    this.address = opened.address;
    this.certificateExpiresAt = opened.certificateExpiresAt;
    this.metClosed = false;
    const read = socket.read;
    socket.read = (size?: number) => {
      const chunk = read.call(socket, size);
      if (chunk !== null) this.lastRead = chunk;
      return chunk;
    };
    callback(null, socket);
  }

  destroy(): void {
    this.holder = null;
    this.client.destroy(null, ignore);
  }
}

const EMPTY: Buffer = Buffer.alloc(0);
const CLOSED_BY_US = 'UND_ERR_INFO';
const ignore = (): void => {};
