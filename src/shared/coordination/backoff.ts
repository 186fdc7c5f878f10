/** How long to wait after a failed call to the store. */

import { WatcherError } from '../domain/errors.ts';
import type { Random } from '../runtime/random.ts';

const FIRST_MS = 250;
/**
 * It stays here: a worker must be back before a lease that restarts with the store ends, and a
 * store that has just come up restarts each lease at its full TTL.
 */
const CAP_MS = 1000;

/** 0.25, 0.5, 1, 1, … seconds with full jitter; `failures` counts from 1. */
export const backoffMs = (failures: number, random: Random): number =>
  random.next() * Math.min(CAP_MS, FIRST_MS * 2 ** (failures - 1));

/** The store could not be asked, so the outcome of what was sent is unknown. */
export const isUnavailable = (error: unknown): boolean =>
  error instanceof WatcherError && error.code === 'WCH_STORE_UNAVAILABLE';

/** The store is reached, reads and renews, and takes no writes: its quota is used up. */
export const isFull = (error: unknown): boolean =>
  error instanceof WatcherError && error.code === 'WCH_STORE_FULL';

/** Later it may do what it does not do now; every other error is a defect or an answer. */
export const isAway = (error: unknown): boolean => isUnavailable(error) || isFull(error);

export const isLeaseLost = (error: unknown): boolean =>
  error instanceof WatcherError && error.code === 'WCH_LEASE_LOST';
