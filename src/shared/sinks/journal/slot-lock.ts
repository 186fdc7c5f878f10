/**
 * Whose slot it is: two processes may share a state folder, and a slot of a dead one is taken over.
 *
 * A slot has lock files `lock-1`, `lock-2`, …; the highest counts, and names its owner by pid and,
 * on Linux, by start time, as pids come again. Whoever finds the highest to be nobody's makes the
 * next one, by a hard link to a finished file: it appears whole, and of two starters one succeeds.
 *
 * The race: a starter reads `lock-3` as nobody's, and is held up. Another makes `lock-4`, ends, a
 * third makes `lock-5` and removes the older ones; now the first succeeds in making `lock-4`. So it
 * looks again: a higher one is there, and it has lost. The highest is never removed, not even by its
 * owner, or numbers would come again and the look would prove nothing; to let go is to empty it.
 *
 * It holds among processes that see each other's pids: a folder is not for two machines or containers.
 */

import fs from 'node:fs';
import path from 'node:path';

const LOCK = /^lock-(\d+)$/;
/** Pid and start. */
const OWNER = /^([1-9]\d*) ?(\d*)$/m;

export const isLockName = (name: string): boolean => name.startsWith('lock-');

export class SlotLock {
  readonly #path: string;

  private constructor(file: string) {
    this.#path = file;
  }

  /** Null where it is another's. Throws where the folder cannot be written. */
  static claim(folder: string): SlotLock | null {
    const highest = highestOf(folder);
    if (highest > 0 && isHeld(pathOf(folder, highest))) return null;
    const mine = highest + 1;
    const file = pathOf(folder, mine);
    if (!makeWhole(file)) return null;
    if (highestOf(folder) !== mine) {
      fs.unlinkSync(file);
      return null;
    }
    for (const number of numbersOf(folder))
      if (number < mine) fs.rmSync(pathOf(folder, number), { force: true });
    return new SlotLock(file);
  }

  /** False where somebody has removed the folder. */
  get isThere(): boolean {
    return fs.existsSync(this.#path);
  }

  /** From now on it is nobody's. */
  release(): void {
    try {
      fs.truncateSync(this.#path);
    } catch {
      // Gone, or not writable: it is nobody's when this process has ended.
    }
  }
}

const pathOf = (folder: string, number: number): string => path.join(folder, `lock-${number}`);

const numbersOf = (folder: string): readonly number[] =>
  fs.readdirSync(folder).flatMap((name) => {
    const match = LOCK.exec(name);
    return match === null ? [] : [Number(match[1])];
  });

const highestOf = (folder: string): number => Math.max(0, ...numbersOf(folder));

/** False where another was faster. */
const makeWhole = (file: string): boolean => {
  const draft = `${file}.${process.pid}`;
  fs.writeFileSync(draft, `${process.pid} ${startOf(process.pid) ?? ''}\n`, { mode: 0o600 });
  try {
    fs.linkSync(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    fs.unlinkSync(draft);
  }
};

const isHeld = (file: string): boolean => {
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch {
    // Removed meanwhile by the one who has made the next.
    return true;
  }
  const [, pid, start = ''] = OWNER.exec(text) ?? [];
  return pid !== undefined && isAlive(Number(pid), start);
};

const isAlive = (pid: number, start: string): boolean => {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: somebody else's, but alive.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return start === '' || startOf(pid) === start;
};

/** In clock ticks since the machine started; null where the system does not tell, or it has ended. */
const startOf = (pid: number): string | null => {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    // After the name, which may hold anything: state, ..., start time.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
};
