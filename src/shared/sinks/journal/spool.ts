/**
 * The state folder as the journal sees it: `spool-0`, `spool-1`, … one slot a process, in each the
 * files of its segments, numbered as they were written. The folder is made when something is to be
 * kept in it, readable for the owner only.
 */

import fs from 'node:fs';
import path from 'node:path';
import type { Log } from '../../runtime/log.ts';
import { type Recovered, recover } from './recovery.ts';
import { isLockName, SlotLock } from './slot-lock.ts';
import { FileStorage } from './storage.ts';

const SLOT = /^spool-(\d+)$/;
const SEGMENT = /^(\d{8,15})\.log$/;
/** Processes that may share a state folder: beyond it something is wrong with the locks. */
const SLOTS = 1000;

/** What a dead process has left. */
export interface LeftSlot extends Recovered {
  readonly folder: string;
  readonly lock: SlotLock;
  /** Number of the next file. */
  readonly nextFile: number;
}

export class Spool {
  readonly folder: string;
  /** Paths that could not be read, or are not the journal's. */
  readonly foreign: readonly string[];
  #slot: { readonly folder: string; readonly lock: SlotLock } | null;
  #nextFile: number;
  #left: readonly LeftSlot[];

  /** Takes over what dead processes have left. Does not throw: what cannot be read is left alone. */
  constructor(folder: string, log: Log) {
    this.folder = folder;
    const foreign: string[] = [];
    const slots = slotsOf(folder);
    this.#left = (slots ?? []).flatMap((slot) => leftIn(slot, foreign));
    // What cannot be read cannot be written either, and that is said where it matters.
    this.foreign = slots === null ? [folder] : foreign;
    const [own] = this.#left;
    this.#slot = own === undefined ? null : { folder: own.folder, lock: own.lock };
    this.#nextFile = own?.nextFile ?? 1;
    if (foreign.length > 0)
      log.warn(
        'the state folder holds what cannot be read or is not of the journal; it is left alone',
        { paths: foreign },
      );
  }

  /** The first is in this process's slot now; the others are to be moved there. To be asked once. */
  takeLeft(): readonly LeftSlot[] {
    const left = this.#left;
    this.#left = [];
    return left;
  }

  /** A new segment. Throws where the disk refuses. */
  create(): FileStorage {
    // Somebody has removed the folder: another process may have made the slot again.
    if (this.#slot?.lock.isThere === false) this.#slot = null;
    this.#slot ??= this.#claim();
    const name = `${String(this.#nextFile).padStart(8, '0')}.log`;
    this.#nextFile += 1;
    return FileStorage.create(path.join(this.#slot.folder, name));
  }

  /** Another process may take what is left. */
  release(): void {
    this.#slot?.lock.release();
  }

  #claim(): { readonly folder: string; readonly lock: SlotLock } {
    fs.mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    for (let number = 0; number < SLOTS; number++) {
      const folder = path.join(this.folder, `spool-${number}`);
      // Not recursive: that says "no such file" of a file system that is read-only.
      if (!fs.existsSync(folder)) fs.mkdirSync(folder, { mode: 0o700 });
      const lock = SlotLock.claim(folder);
      if (lock === null) continue;
      if (segmentsOf(folder).length === 0) return { folder, lock };
      // Its owner has died since this process started: left for the next one that starts.
      lock.release();
    }
    throw new Error(`${SLOTS} processes use ${this.folder}`);
  }
}

/** Null where the folder cannot be read. */
const slotsOf = (folder: string): readonly string[] | null => {
  try {
    return fs
      .readdirSync(folder)
      .filter((name) => SLOT.test(name))
      .toSorted((a, b) => numberIn(a, SLOT) - numberIn(b, SLOT))
      .map((name) => path.join(folder, name));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? [] : null;
  }
};

/** Empty where nothing was left, or its process lives. */
const leftIn = (folder: string, foreign: string[]): readonly LeftSlot[] => {
  try {
    if (segmentsOf(folder).length === 0) return [];
    const lock = SlotLock.claim(folder);
    if (lock === null) return [];
    // Only now is nobody writing there any more.
    const names = segmentsOf(folder);
    const recovered = recover(names.map((name) => path.join(folder, name)));
    const others = fs.readdirSync(folder).filter((name) => !SEGMENT.test(name));
    const unknown = others.filter((name) => !isLockName(name));
    foreign.push(...recovered.unreadable, ...unknown.map((name) => path.join(folder, name)));
    const nextFile = 1 + Math.max(...names.map((name) => numberIn(name, SEGMENT)));
    return [{ ...recovered, folder, lock, nextFile }];
  } catch {
    foreign.push(folder);
    return [];
  }
};

const segmentsOf = (folder: string): readonly string[] =>
  fs
    .readdirSync(folder)
    .filter((name) => SEGMENT.test(name))
    .toSorted((a, b) => numberIn(a, SEGMENT) - numberIn(b, SEGMENT));

const numberIn = (name: string, pattern: RegExp): number => Number(pattern.exec(name)?.[1]);
