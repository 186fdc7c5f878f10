/**
 * Catalogue against ledger → the smallest set of writes: config → **publisher** → ledger. It looks at
 * the ledger as it stands each time, so whatever came between, the next publish puts it right.
 */

import { digestOf } from '../shared/coordination/definitions.ts';
import type { Term } from '../shared/coordination/election.ts';
import type { Published, Publishing } from '../shared/coordination/publishing.ts';
import type { Catalogue } from '../shared/domain/catalogue.ts';
import type { CheckDefinition, CheckId, JobsetId } from '../shared/domain/check.ts';
import { WatcherError } from '../shared/domain/errors.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { Random } from '../shared/runtime/random.ts';
import { TimeSlice } from '../shared/runtime/time-slice.ts';
import { type Packed, pack } from './packing.ts';
import { type Held, judgeVanished, type VanishReason } from './vanish-rule.ts';

export interface PublisherOptions {
  readonly publishing: Publishing;
  readonly clock: Clock;
  readonly random: Random;
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
  /** Checks that the folder no longer has, and why they were taken away or not. */
  readonly vanished: { readonly count: number; readonly reason: VanishReason };
}

/** Jobs a jobset at most: small enough to move between workers, big enough to be few. */
const JOBSET_SIZE = 100;

/** Catalogue and ledger side by side. */
interface Comparison {
  readonly offered: ReadonlyMap<CheckId, CheckDefinition>;
  /** Jobsets of the folder, as they stand. */
  readonly standing: ReadonlyMap<JobsetId, Published>;
  /** How many checks stand in them. */
  readonly published: number;
  /** Those among them that the folder no longer has. */
  readonly vanished: ReadonlyMap<JobsetId, ReadonlySet<CheckId>>;
  /** Checks that stand nowhere. */
  readonly fresh: ReadonlySet<CheckId>;
}

export class Publisher {
  readonly #options: PublisherOptions;
  #held: Held | null = null;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** What waits for a confirmation. */
  get held(): Held | null {
    return this.#held;
  }

  /**
   * Only jobsets that differ are written, only those of the folder are deleted. `confirmed` lets go of
   * what the vanish rule holds. Throws WCH_STORE_UNAVAILABLE half-way when the store is away, and
   * WCH_RECORD when a newer watcher has published: an older one must not pack its checks again.
   */
  async publish(catalogue: Catalogue, term: Term, confirmed = false): Promise<PublishReport> {
    const slice = new TimeSlice(this.#options.clock);
    const comparison = await this.#compare(catalogue, slice);
    const { offered, standing, published, fresh } = comparison;
    const vanished = this.#judgeVanished(comparison, confirmed);
    const gone = this.#held === null ? comparison.vanished : new Map();
    const current = [...standing.values()].map(({ jobset }) => jobset);
    const newId = () => this.#options.random.uuid() as JobsetId;
    const packed = pack(current, { gone, fresh }, { size: JOBSET_SIZE, newId });
    const tally = { written: 0, deleted: 0, conflicts: 0 };
    const refused: { jobset: JobsetId; why: string }[] = [];
    for (const jobset of packed) {
      if (slice.isSpent) await slice.rest();
      try {
        const old = standing.get(jobset.id) ?? null;
        const outcome = await this.#bring(jobset, old, offered, term);
        if (outcome !== 'unchanged') tally[outcome] += 1;
      } catch (error) {
        if (!(error instanceof WatcherError && error.code === 'WCH_STORE_LIMIT')) throw error;
        refused.push({ jobset: jobset.id, why: error.message });
      }
    }
    const jobsets = packed.filter((jobset) => jobset.jobs.length > 0).length;
    const checks = published + fresh.size - (gone.size > 0 ? vanished.count : 0);
    return { checks, jobsets, ...tally, refused, vanished };
  }

  async #compare(catalogue: Catalogue, slice: TimeSlice): Promise<Comparison> {
    const offered = new Map<CheckId, CheckDefinition>();
    const fresh = new Set<CheckId>();
    for (const definition of catalogue.definitions) {
      if (offered.size % 256 === 0 && slice.isSpent) await slice.rest();
      offered.set(definition.id, definition);
      fresh.add(definition.id);
    }
    const standing = new Map<JobsetId, Published>();
    const vanished = new Map<JobsetId, Set<CheckId>>();
    let published = 0;
    for await (const entry of this.#options.publishing.jobsets()) {
      if (slice.isSpent) await slice.rest();
      const { id, source, jobs } = entry.jobset;
      for (const job of jobs) fresh.delete(job);
      // Jobs of the API are nobody's business here, but for not being published twice.
      if (source === 'api') continue;
      standing.set(id, entry);
      published += jobs.length;
      const missing = jobs.filter((job) => !offered.has(job));
      if (missing.length > 0) vanished.set(id, new Set(missing));
    }
    return { offered, standing, published, vanished, fresh };
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

  /** Makes one jobset what it should be. */
  async #bring(
    jobset: Packed,
    old: Published | null,
    offered: Comparison['offered'],
    term: Term,
  ): Promise<'unchanged' | 'written' | 'deleted' | 'conflicts'> {
    const { publishing } = this.#options;
    if (jobset.jobs.length === 0 && old !== null) {
      return (await publishing.withdraw(old, term)) ? 'deleted' : 'conflicts';
    }
    const definitions = await this.#definitions(jobset, offered);
    const digest = digestOf(definitions);
    if (digest === old?.jobset.digest) return 'unchanged';
    const replacement = { old, id: jobset.id, source: 'folder', digest, definitions } as const;
    return (await publishing.replace(replacement, term)) ? 'written' : 'conflicts';
  }

  /** Definitions of held checks are no longer in the catalogue; the ledger still has them. */
  async #definitions(
    { id, jobs }: Packed,
    offered: Comparison['offered'],
  ): Promise<CheckDefinition[]> {
    const known = jobs.map((job) => offered.get(job));
    if (!known.includes(undefined)) return known as CheckDefinition[];
    const stored = await this.#options.publishing.definitions(id);
    const byId = new Map(stored.map((definition) => [definition.id, definition]));
    return jobs.flatMap((job) => offered.get(job) ?? byId.get(job) ?? []);
  }
}
