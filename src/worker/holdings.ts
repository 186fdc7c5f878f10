/** The jobsets that this worker runs, and under which claims: kept by the claimer. */

import type { Claim } from '../shared/coordination/ledger.ts';
import type { JobsetId } from '../shared/domain/check.ts';
import type { Holding } from './claiming.ts';

export class Holdings {
  readonly #held = new Map<JobsetId, Holding>();
  /** How many of them run on without proof. */
  #unproven = 0;

  get size(): number {
    return this.#held.size;
  }

  get ids(): JobsetId[] {
    return [...this.#held.keys()];
  }

  /** Every one of them has a claim that is not known to be void. */
  get areProven(): boolean {
    return this.#unproven === 0;
  }

  /** What a heartbeat has to prove. */
  get claims(): Claim[] {
    const claims: Claim[] = [];
    for (const [jobset, { token, revision, proven }] of this.#held) {
      if (proven) claims.push({ jobset, token, revision });
    }
    return claims;
  }

  get(id: JobsetId): Holding | undefined {
    return this.#held.get(id);
  }

  claimOf(jobset: JobsetId): Claim | null {
    const holding = this.#held.get(jobset);
    return holding?.proven ? { jobset, token: holding.token, revision: holding.revision } : null;
  }

  keep(id: JobsetId, holding: Holding): void {
    this.forget(id);
    this.#held.set(id, holding);
    if (!holding.proven) this.#unproven += 1;
  }

  /** Its claim is void, but nobody else is known to have it: it runs on without proof. */
  runOn(id: JobsetId): void {
    const holding = this.#held.get(id);
    if (holding) this.keep(id, { ...holding, proven: false });
  }

  runAllOn(): void {
    for (const id of [...this.#held.keys()]) this.runOn(id);
  }

  forget(id: JobsetId): void {
    if (this.#held.get(id)?.proven === false) this.#unproven -= 1;
    this.#held.delete(id);
  }
}
