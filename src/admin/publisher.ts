/**
 * Catalogue against ledger → the smallest set of writes: config → **publisher** → ledger. It looks at
 * the ledger as it stands each time, so whatever came between, the next publish puts it right.
 */

import { digestOf } from '../shared/coordination/definitions.ts';
import type { Term } from '../shared/coordination/election.ts';
import type { Places, Publishing } from '../shared/coordination/publishing.ts';
import { isNewerRecord } from '../shared/coordination/records.ts';
import type { Catalogue } from '../shared/domain/catalogue.ts';
import type { CheckDefinition, JobsetId } from '../shared/domain/check.ts';
import { WatcherError } from '../shared/domain/errors.ts';
import { JOBSET_SIZE } from '../shared/domain/jobset.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { Random } from '../shared/runtime/random.ts';
import { TimeSlice } from '../shared/runtime/time-slice.ts';
import type { Sealer } from '../shared/secrets/sealing.ts';
import { type Comparison, compare, type JobsByJobset } from './comparison.ts';
import { type Packed, type PackingChange, pack } from './packing.ts';
import { judgeTakeover, KEEP_MS, type Waiting } from './takeover-rule.ts';
import { type Held, HOLD_MS, judgeVanished, type VanishReason } from './vanish-rule.ts';

export interface PublisherOptions {
  readonly publishing: Publishing;
  readonly clock: Clock;
  readonly random: Random;
  /** For a ledger that others can read; without it, definitions are written as they are. */
  readonly sealer?: Sealer | undefined;
}

export interface PublishReport {
  readonly checks: number;
  readonly jobsets: number;
  readonly written: number;
  readonly deleted: number;
  /** Jobsets that were not as they had been read: publish again. */
  readonly conflicts: number;
  /** Jobsets that pass the store's limits, which no repetition changes. */
  readonly refused: readonly { readonly jobset: JobsetId; readonly why: string }[];
  /** Keys of jobsets that nobody can read; their checks stand elsewhere now. */
  readonly unreadable: readonly string[];
  /** Checks that the folder no longer has, and why they were taken away or not. */
  readonly vanished: { readonly count: number; readonly reason: VanishReason };
}

const UNSEALED: Sealer = { seal: (spec) => spec, fingerprint: (digest) => digest };

interface Tally {
  written: number;
  deleted: number;
  conflicts: number;
  readonly refused: { readonly jobset: JobsetId; readonly why: string }[];
}

/** What all writes of one publish share. */
interface Round {
  readonly comparison: Comparison;
  readonly places: Places;
  readonly term: Term;
  readonly tally: Tally;
  readonly slice: TimeSlice;
}

export class Publisher {
  readonly #options: PublisherOptions;
  readonly #sealer: Sealer;
  #held: Held | null = null;
  /** Rules out what another term has left waiting. */
  #term: Term | null = null;
  #waiting: Waiting | null = null;
  /** The folder that this process last made the ledger follow. */
  #own: string | null = null;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#sealer = options.sealer ?? UNSEALED;
  }

  /** What has vanished and waits for a confirmation. */
  get held(): Held | null {
    return this.#held;
  }

  /** How long the folder as a whole still waits for one; null when it does not. */
  get waitingMs(): number | null {
    return this.#waiting && this.#leftMs(this.#waiting.since + KEEP_MS);
  }

  /** After how long what waits may go on without a confirmation; null when nothing waits. */
  get dueInMs(): number | null {
    return this.waitingMs ?? (this.#held && this.#leftMs(this.#held.since + HOLD_MS));
  }

  /**
   * Only jobsets that differ are written, only those of the folder are deleted; null when the folder as
   * a whole has to wait. `confirmed` lets go of what either rule holds. Throws WCH_STORE_UNAVAILABLE
   * half-way when the store is away, and WCH_RECORD when a newer watcher has published: an older one
   * must not pack its checks again.
   */
  async publish(
    catalogue: Catalogue,
    term: Term,
    confirmed = false,
  ): Promise<PublishReport | null> {
    const { publishing, clock } = this.#options;
    const folder = this.#sealer.fingerprint(catalogue.digest);
    const { folder: published, places } = await publishing.standing();
    if (this.#mustWait({ published, folder, term, confirmed })) return null;
    const slice = new TimeSlice(clock);
    const sealer = this.#sealer;
    const comparing = { publishing, sealer, slice };
    let comparison = await compare(catalogue, comparing);
    if (published === folder || (await publishing.follow(folder, term))) this.#own = folder;
    this.#waiting = null;
    const tally: Tally = { written: 0, deleted: 0, conflicts: 0, refused: [] };
    if (comparison.misplaced.size > 0) {
      // Taken from one jobset before it is given to another: it never stands in two.
      const change = { gone: comparison.misplaced, fresh: new Map() };
      await this.#bring(change, { comparison, places, term, tally, slice });
      comparison = await compare(catalogue, comparing);
    }
    const vanished = this.#judgeVanished(comparison, confirmed);
    const gone: JobsByJobset = this.#held === null ? comparison.vanished : new Map();
    const round = { comparison, places, term, tally, slice };
    const packed = await this.#bring({ gone, fresh: comparison.fresh }, round);
    const jobsets = packed.filter((jobset) => jobset.jobs.length > 0).length;
    const { published: before, fresh, unreadable } = comparison;
    const checks = before + fresh.size - (gone.size > 0 ? vanished.count : 0);
    return { checks, jobsets, ...tally, unreadable, vanished };
  }

  #mustWait(given: {
    readonly published: string | null;
    readonly folder: string;
    readonly term: Term;
    readonly confirmed: boolean;
  }): boolean {
    const { published, folder: offered, term, confirmed } = given;
    if (this.#term !== term) this.#waiting = null;
    this.#term = term;
    const now = this.#options.clock.monotonicMs();
    const [own, waiting] = [this.#own, this.#waiting];
    const verdict = judgeTakeover({ published, own, offered, waiting, confirmed, now });
    // What it has waited for counts until the ledger follows: a store that is away must not cost it.
    if (verdict !== null) this.#waiting = verdict;
    return verdict !== null;
  }

  #judgeVanished(
    { published, vanished }: Comparison,
    confirmed: boolean,
  ): PublishReport['vanished'] {
    const ids = new Set([...vanished.values()].flatMap((missing) => [...missing]));
    const now = this.#options.clock.monotonicMs();
    const scan = { published, vanished: ids, held: this.#held, confirmed, now };
    const { held, reason } = judgeVanished(scan);
    this.#held = held;
    return { count: ids.size, reason };
  }

  /** Makes every jobset what it should be after the change. */
  async #bring(change: PackingChange, round: Round): Promise<readonly Packed[]> {
    const { comparison, tally, slice } = round;
    const current = [...comparison.standing.values()].map(({ jobset }) => jobset);
    const newId = () => this.#options.random.uuid() as JobsetId;
    const closed = new Set(current.filter(({ waiting }) => waiting !== null).map(({ id }) => id));
    const packed = pack(current, { ...change, closed }, { size: JOBSET_SIZE, newId });
    for (const jobset of packed) {
      if (slice.isSpent) await slice.rest();
      try {
        const outcome = await this.#bringOne(jobset, round);
        if (outcome !== 'unchanged') tally[outcome] += 1;
      } catch (error) {
        if (!(error instanceof WatcherError && error.code === 'WCH_STORE_LIMIT')) throw error;
        tally.refused.push({ jobset: jobset.id, why: error.message });
      }
    }
    return packed;
  }

  async #bringOne(
    jobset: Packed,
    { comparison, places, term }: Round,
  ): Promise<'unchanged' | 'written' | 'deleted' | 'conflicts'> {
    const { publishing } = this.#options;
    const { id, zone, jobs } = jobset;
    const old = comparison.standing.get(id) ?? null;
    if (jobs.length === 0 && old !== null) {
      return (await publishing.withdraw(old, term)) ? 'deleted' : 'conflicts';
    }
    const definitions = await this.#definitions(jobset, comparison.offered);
    const digest = digestOf(definitions);
    if (digest === old?.jobset.digest) return 'unchanged';
    const givesPlaces = jobs.some((job) => comparison.fresh.has(job));
    const written = await publishing.replace(
      {
        ...{ old, id, source: 'folder', zone, digest, definitions },
        places: givesPlaces ? places : undefined,
      },
      term,
    );
    return written ? 'written' : 'conflicts';
  }

  /** Definitions of held checks are no longer in the catalogue; the ledger still has them. */
  async #definitions(
    { id, jobs }: Packed,
    offered: Comparison['offered'],
  ): Promise<CheckDefinition[]> {
    const known = jobs.map((job) => offered.get(job));
    if (!known.includes(undefined)) return known as CheckDefinition[];
    const stored = await this.#stored(id);
    const byId = new Map(stored.map((definition) => [definition.id, definition]));
    return jobs.flatMap((job) => offered.get(job) ?? byId.get(job) ?? []);
  }

  /** None when they are damaged: nobody can run them. */
  async #stored(id: JobsetId): Promise<readonly CheckDefinition[]> {
    try {
      return await this.#options.publishing.definitions(id);
    } catch (error) {
      const isDamaged = error instanceof WatcherError && error.code === 'WCH_RECORD';
      if (!isDamaged || isNewerRecord(error)) throw error;
      return [];
    }
  }

  #leftMs(dueAt: number): number {
    return Math.max(0, dueAt - this.#options.clock.monotonicMs());
  }
}
