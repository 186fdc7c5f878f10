/** Catalogue and ledger side by side: what stands where, what has gone, what is new. */

import type { Published, Publishing } from '../shared/coordination/publishing.ts';
import type { Catalogue } from '../shared/domain/catalogue.ts';
import type { CheckDefinition, CheckId, JobsetId } from '../shared/domain/check.ts';
import type { TimeSlice } from '../shared/runtime/time-slice.ts';
import type { Sealer } from '../shared/secrets/sealing.ts';
import type { Zone } from './packing.ts';

export type JobsByJobset = ReadonlyMap<JobsetId, ReadonlySet<CheckId>>;

export interface Comparison {
  /** As they are to be written. */
  readonly offered: ReadonlyMap<CheckId, CheckDefinition>;
  /** Jobsets of the folder, as they stand. */
  readonly standing: ReadonlyMap<JobsetId, Published>;
  /** How many checks stand in them. */
  readonly published: number;
  /** Those among them that the folder no longer has. */
  readonly vanished: JobsByJobset;
  /** Those that the folder has in another zone. */
  readonly misplaced: JobsByJobset;
  /** Checks that stand nowhere. */
  readonly fresh: ReadonlyMap<CheckId, Zone>;
  /** Keys of jobsets that nobody can read. */
  readonly unreadable: readonly string[];
}

export interface ComparisonOptions {
  readonly publishing: Publishing;
  readonly sealer: Sealer;
  readonly slice: TimeSlice;
}

export const compare = async (
  catalogue: Catalogue,
  { publishing, sealer, slice }: ComparisonOptions,
): Promise<Comparison> => {
  const offered = new Map<CheckId, CheckDefinition>();
  const fresh = new Map<CheckId, Zone>();
  for (const { id, key, spec } of catalogue.definitions) {
    if (offered.size % 256 === 0 && slice.isSpent) await slice.rest();
    offered.set(id, { id, key, spec: sealer.seal(spec) });
    fresh.set(id, spec.zone ?? null);
  }
  const standing = new Map<JobsetId, Published>();
  const vanished = new Map<JobsetId, Set<CheckId>>();
  const misplaced = new Map<JobsetId, Set<CheckId>>();
  const unreadable: string[] = [];
  let published = 0;
  for await (const entry of publishing.jobsets((key) => unreadable.push(key))) {
    if (slice.isSpent) await slice.rest();
    const { id, source, zone, jobs } = entry.jobset;
    for (const job of jobs) fresh.delete(job);
    // Jobs of the API are nobody's business here, but for not being published twice.
    if (source === 'api') continue;
    standing.set(id, entry);
    published += jobs.length;
    const zoneOf = (job: CheckId) => offered.get(job)?.spec.zone ?? null;
    note(
      vanished,
      id,
      jobs.filter((job) => !offered.has(job)),
    );
    note(
      misplaced,
      id,
      jobs.filter((job) => offered.has(job) && zoneOf(job) !== zone),
    );
  }
  return { offered, standing, published, vanished, misplaced, fresh, unreadable };
};

const note = (by: Map<JobsetId, Set<CheckId>>, id: JobsetId, jobs: readonly CheckId[]): void => {
  if (jobs.length > 0) by.set(id, new Set(jobs));
};
