/**
 * Is it the targets or the network here? When at least half of the hosts that ran lately (of
 * five or more) began to fail at network level together, that says nothing of the targets.
 */

const WINDOW_MS = 60_000;
const MIN_HOSTS = 5;
/** Past this many hosts, those not seen for longest are forgotten. */
const MAX_HOSTS = 200_000;

/** GOOD and FRESH are counted; a host that is long down, or was never seen well, is not. */
type Standing = 'good' | 'fresh' | 'down';

/** One host, linked into a list in the order in which hosts were last seen. */
interface Witness {
  readonly host: string;
  standing: Standing;
  seenAt: number;
  failingSince: number;
  /** Seen within the window, and so part of the counts. */
  recent: boolean;
  before: Witness | null;
  next: Witness | null;
}

/** `entered` and `left` are said once an episode. */
export type SuspicionChange = 'entered' | 'left' | null;

/**
 * Times are ms on one clock that does not go back. The cost of a record does not grow with the
 * number of hosts: counts follow each host as it comes into the window, turns, and goes out.
 */
export class NetworkWitness {
  readonly #windowMs: number;
  readonly #hosts = new Map<string, Witness>();
  #oldest: Witness | null = null;
  #newest: Witness | null = null;
  /** The first of the list that is within the window. */
  #firstRecent: Witness | null = null;
  #good = 0;
  #fresh = 0;
  #suspectsSince: number | null = null;

  constructor(windowMs = WINDOW_MS) {
    this.#windowMs = windowMs;
  }

  /** Takes the outcome of a run in; `failed` means at network level. */
  record(host: string, atMs: number, failed: boolean): SuspicionChange {
    this.#expire(atMs);
    const witness = this.#hosts.get(host) ?? this.#meet(host);
    this.#uncount(witness);
    this.#turn(witness, atMs, failed);
    this.#moveToEnd(witness, atMs);
    this.#count(witness);
    return this.#judge(atMs);
  }

  /** Whether a failure at network level now says nothing of its target. */
  suspects(atMs: number): boolean {
    this.#expire(atMs);
    return this.#suspectsSince !== null;
  }

  /** An episode lasts while those that fell with it are still half of all, however long that is. */
  #judge(atMs: number): SuspicionChange {
    const counted = this.#good + this.#fresh;
    const half = this.#fresh * 2 >= counted;
    if (this.#suspectsSince === null) {
      if (!half || counted < MIN_HOSTS) return null;
      this.#suspectsSince = atMs;
      return 'entered';
    }
    if (half) return null;
    this.#suspectsSince = null;
    return 'left';
  }

  #turn(witness: Witness, atMs: number, failed: boolean): void {
    if (!failed) {
      witness.standing = 'good';
      return;
    }
    if (witness.standing === 'good') {
      witness.standing = 'fresh';
      witness.failingSince = atMs;
    }
    const horizon = (this.#suspectsSince ?? atMs) - this.#windowMs;
    if (witness.failingSince < horizon) witness.standing = 'down';
  }

  #meet(host: string): Witness {
    if (this.#hosts.size >= MAX_HOSTS && this.#oldest) this.#forget(this.#oldest);
    const witness: Witness = {
      host,
      standing: 'down',
      seenAt: 0,
      failingSince: Number.NEGATIVE_INFINITY,
      recent: false,
      before: null,
      next: null,
    };
    this.#hosts.set(host, witness);
    return witness;
  }

  #forget(witness: Witness): void {
    this.#uncount(witness);
    this.#unlink(witness);
    this.#hosts.delete(witness.host);
  }

  #expire(atMs: number): void {
    const horizon = atMs - this.#windowMs;
    while (this.#firstRecent && this.#firstRecent.seenAt < horizon) {
      this.#uncount(this.#firstRecent);
      this.#firstRecent = this.#firstRecent.next;
    }
  }

  #count(witness: Witness): void {
    witness.recent = true;
    if (witness.standing === 'good') this.#good++;
    else if (witness.standing === 'fresh') this.#fresh++;
  }

  #uncount(witness: Witness): void {
    if (!witness.recent) return;
    witness.recent = false;
    if (witness.standing === 'good') this.#good--;
    else if (witness.standing === 'fresh') this.#fresh--;
  }

  #moveToEnd(witness: Witness, atMs: number): void {
    witness.seenAt = atMs;
    if (witness !== this.#newest) {
      this.#unlink(witness);
      witness.before = this.#newest;
      if (this.#newest) this.#newest.next = witness;
      else this.#oldest = witness;
      this.#newest = witness;
    }
    this.#firstRecent ??= witness;
  }

  #unlink(witness: Witness): void {
    const { before, next } = witness;
    if (this.#firstRecent === witness) this.#firstRecent = next;
    if (before) before.next = next;
    else if (this.#oldest === witness) this.#oldest = next;
    if (next) next.before = before;
    else if (this.#newest === witness) this.#newest = before;
    witness.before = null;
    witness.next = null;
  }
}
