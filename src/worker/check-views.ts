/** What the worker's columns say of each check, for the status routes and the live table. */

import type {
  CheckStatus,
  CheckView,
  StatusFilter,
  StatusSource,
} from '../shared/domain/status.ts';
import type { CheckTable } from './check-table.ts';
import type { Scheduler } from './scheduler.ts';

export class CheckViews implements StatusSource {
  readonly #table: CheckTable;
  readonly #scheduler: Scheduler;

  constructor(table: CheckTable, scheduler: Scheduler) {
    this.#table = table;
    this.#scheduler = scheduler;
  }

  checks({ status, offset = 0, limit = Number.POSITIVE_INFINITY }: StatusFilter = {}): CheckView[] {
    const views: CheckView[] = [];
    let passed = 0;
    for (const slot of this.#table.slots()) {
      if (views.length === limit) break;
      if (status !== undefined && this.#table.status(slot) !== status) continue;
      if (passed++ >= offset) views.push(this.#view(slot));
    }
    return views;
  }

  find(key: string): CheckView | null {
    for (const slot of this.#table.slots()) {
      if (this.#table.key[slot] === key) return this.#view(slot);
    }
    return null;
  }

  summary(): Record<CheckStatus, number> {
    return this.#table.countByStatus();
  }

  #view(slot: number): CheckView {
    const table = this.#table;
    const { status, since } = table.state(slot);
    const ran = status !== 'pending';
    const nextTick = this.#scheduler.nextTick(slot);
    return {
      check: table.key[slot] as string,
      id: table.id[slot] as string,
      jobset: table.claim[slot]?.jobset ?? '',
      status,
      reason: table.reason[slot] ?? null,
      since: ran ? since : null,
      lastTick: ran ? (table.lastTick[slot] as number) : null,
      durationMs: ran ? (table.durationMs[slot] as number) : null,
      latenessMs: ran ? (table.latenessMs[slot] as number) : null,
      nextTick: Number.isFinite(nextTick) ? nextTick : null,
      lateness: table.lateness.quantiles(slot),
      runs: table.runs[slot] as number,
      skipped: table.skipped[slot] as number,
    };
  }
}
