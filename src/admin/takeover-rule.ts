/**
 * Whether a leader publishes a folder that is not the one that the ledger follows. Admins each have
 * their own copy: a standby with a stale checkout must not undo what its predecessor published only
 * because it leads now. What is published stays for a while, in which its folder may catch up or
 * somebody may look.
 */

/** After that, the folder that the leader has is the folder that there is. */
export const KEEP_MS = 300_000;

/** A folder that waits. */
export interface Waiting {
  readonly folder: string;
  /** Monotonic, ms: when this leader first offered it. */
  readonly since: number;
}

export interface TakeoverCase {
  /** What the ledger follows; null: it never followed a folder. */
  readonly published: string | null;
  /** What this process last made it follow. */
  readonly own: string | null;
  readonly offered: string;
  /** What this term has left waiting before. */
  readonly waiting: Waiting | null;
  readonly confirmed: boolean;
  /** Monotonic, ms. */
  readonly now: number;
}

/** Null when the folder may be published. */
export const judgeTakeover = (given: TakeoverCase): Waiting | null => {
  const { published, own, offered, waiting, confirmed, now } = given;
  // Nobody has published since this process did: what differs is a change of its folder.
  const isNewest = published === null || published === own || published === offered;
  if (isNewest || confirmed) return null;
  if (waiting === null) return { folder: offered, since: now };
  const hasChanged = waiting.folder !== offered;
  return hasChanged || now - waiting.since >= KEEP_MS ? null : waiting;
};
