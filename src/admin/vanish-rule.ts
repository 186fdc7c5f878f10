/**
 * Whether checks that have vanished from the folder are taken away at once. A checkout that went wrong
 * or a volume that did not mount must not switch monitoring off: when much vanishes in one scan, it is
 * kept until somebody confirms, or until the folder has said the same for ten minutes.
 */

import type { CheckId } from '../shared/domain/check.ts';

/** More than both, in one scan, is suspicious. */
const SUSPICIOUS_SHARE = 0.2;
const SUSPICIOUS_COUNT = 10;
export const HOLD_MS = 600_000;

/** A disappearance that waits for confirmation. */
export interface Held {
  readonly vanished: ReadonlySet<CheckId>;
  /** Monotonic, ms: when the folder first said so. */
  readonly since: number;
}

export type VanishReason = 'none' | 'few' | 'confirmed' | 'lasting' | 'suspicious';

export interface VanishVerdict {
  readonly reason: VanishReason;
  /** Null when what has vanished may be taken away. */
  readonly held: Held | null;
}

export interface VanishCase {
  /** How many checks of the folder are published. */
  readonly published: number;
  /** Those among them that the folder no longer has. */
  readonly vanished: ReadonlySet<CheckId>;
  /** What the scan before this one left waiting. */
  readonly held: Held | null;
  readonly confirmed: boolean;
  /** Monotonic, ms. */
  readonly now: number;
}

export const judgeVanished = (scan: VanishCase): VanishVerdict => {
  const { published, vanished, held, confirmed, now } = scan;
  if (vanished.size === 0) return { reason: 'none', held: null };
  const isMuch = vanished.size > SUSPICIOUS_COUNT && vanished.size > published * SUSPICIOUS_SHARE;
  if (!isMuch) return { reason: 'few', held: null };
  if (confirmed) return { reason: 'confirmed', held: null };
  // Another set of vanished checks is another state of the folder: its ten minutes start anew.
  const since = held !== null && isSame(held.vanished, vanished) ? held.since : now;
  if (now - since >= HOLD_MS) return { reason: 'lasting', held: null };
  return { reason: 'suspicious', held: { vanished, since } };
};

const isSame = (a: ReadonlySet<CheckId>, b: ReadonlySet<CheckId>): boolean =>
  a.size === b.size && a.isSubsetOf(b);
