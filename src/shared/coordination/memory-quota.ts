/**
 * The room of the memory store: it is found full by the first request that does not fit, and stays so,
 * whatever is deleted, until somebody makes room. So does etcd, by its alarm.
 */

import { WatcherError } from '../domain/errors.ts';
import { type Entry, OPERATION_BYTES, type Operation } from './kv.ts';

const bytesOf = ({ key, value }: Pick<Entry, 'key' | 'value'>): number =>
  OPERATION_BYTES + key.length + value.length;

export class MemoryQuota {
  #bytes: number;
  #used = 0;
  #isFull = false;

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** Throws WCH_STORE_FULL for puts that do not fit, and for any put from then on. */
  requireRoomFor(operations: readonly Operation[]): void {
    const puts = operations.filter((operation) => operation.kind === 'put');
    if (puts.length > 0) this.#require(puts.reduce((sum, put) => sum + bytesOf(put), 0));
  }

  requireRoomForLease(): void {
    this.#require(OPERATION_BYTES);
  }

  /** What stands under a key has changed; undefined is nothing. */
  count(before: Entry | undefined, after: Entry | undefined): void {
    this.#used += (after ? bytesOf(after) : 0) - (before ? bytesOf(before) : 0);
  }

  extend(bytes: number): void {
    this.#bytes = bytes;
    this.#isFull = false;
  }

  #require(bytes: number): void {
    this.#isFull ||= this.#used + bytes > this.#bytes;
    if (this.#isFull)
      throw new WatcherError('WCH_STORE_FULL', `the store in memory is full: ${this.#bytes} bytes`);
  }
}
