/** Journals for tests: real files in a folder of their own, a clock that is turned. */

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import type { DestinationId } from '../../../../src/shared/domain/delivery.ts';
import type { LogFields } from '../../../../src/shared/runtime/log.ts';
import {
  type Journal,
  type JournalOptions,
  openJournal,
} from '../../../../src/shared/sinks/journal/journal.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

export const A = 'aaaaaaaaaaaaaaaa' as DestinationId;
export const B = 'bbbbbbbbbbbbbbbb' as DestinationId;

export const aFolder = (): string => {
  const folder = mkdtempSync(path.join(tmpdir(), 'journal-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

export interface Opened {
  readonly journal: Journal;
  readonly clock: ManualClock;
  readonly warnings: { readonly message: string; readonly fields: LogFields | undefined }[];
}

export const open = (
  folder: string | null,
  options: Partial<Omit<JournalOptions, 'clock' | 'log'>> = {},
): Opened => {
  const clock = new ManualClock();
  const warnings: Opened['warnings'] = [];
  const warn = (message: string, fields?: LogFields) => void warnings.push({ message, fields });
  const journal = openJournal({
    folder,
    clock,
    log: { debug() {}, info() {}, warn, error: warn },
    onEvict: () => new Map(),
    onMoved() {},
    ...options,
  });
  onTestFinished(() => journal[Symbol.dispose]());
  return { journal, clock, warnings };
};

/** As a process that is killed leaves it: nothing is written any more, and the slot is nobody's. */
export const killed = (folder: string, slot = 'spool-0'): void => {
  const slotFolder = path.join(folder, slot);
  for (const name of readdirSync(slotFolder))
    if (name.startsWith('lock-')) rmSync(path.join(slotFolder, name));
};

/** Recovered seqs by destination. */
export const seqsOf = (journal: Journal): Record<string, readonly number[]> =>
  Object.fromEntries(
    [...journal.recovered()].map(([id, pending]) => [id, pending.map(({ seq }) => seq)]),
  );

export const segmentFiles = (folder: string, slot = 'spool-0'): readonly string[] =>
  readdirSync(path.join(folder, slot))
    .filter((name) => name.endsWith('.log'))
    .sort()
    .map((name) => path.join(folder, slot, name));
