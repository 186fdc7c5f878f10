/** Ids of checks: UUIDv5 of the key (RFC 9562), so that reloading a folder keeps them. */

import { hash } from 'node:crypto';
import type { CheckId } from '../domain/check.ts';

/** watcher's own namespace, drawn once. */
const NAMESPACE = Buffer.from('5b0c1e6e7f6b4d0fa3d23d6c1b9f8e24', 'hex');

export const checkIdOf = (key: string): CheckId => {
  const digest = hash('sha1', Buffer.concat([NAMESPACE, Buffer.from(key)]), 'buffer');
  digest[6] = ((digest[6] as number) & 0x0f) | 0x50;
  digest[8] = ((digest[8] as number) & 0x3f) | 0x80;
  const hex = digest.toString('hex', 0, 16);
  const parts = [0, 8, 12, 16, 20].map((start, i, all) => hex.slice(start, all[i + 1] ?? 32));
  return parts.join('-') as CheckId;
};
