/**
 * A digest of a set, for which neither order nor the file that holds a member matters: the sum of its
 * members' digests. Sums of files are made where they are parsed, so the whole costs nothing.
 */

import { hash } from 'node:crypto';

const BITS = 128;

export const digestOf = (member: unknown): bigint =>
  BigInt(`0x${hash('sha256', JSON.stringify(member)).slice(0, BITS / 4)}`);

export const sum = (digests: Iterable<bigint>): bigint => {
  let total = 0n;
  for (const digest of digests) total += digest;
  return BigInt.asUintN(BITS, total);
};

export const digestText = (digest: bigint): string =>
  BigInt.asUintN(BITS, digest)
    .toString(16)
    .padStart(BITS / 4, '0');
