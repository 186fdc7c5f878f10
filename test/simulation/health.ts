/** Which processes owe something: with whom nothing is wrong, nor was a moment ago. */

import type { WorkerId } from '../../src/shared/domain/check.ts';
import { BLIND_MS, type Circumstances } from './circumstances.ts';
import type { SimulatedProcess } from './processes.ts';

/** After whatever was wrong with a process has ended, it is back in the pool within this. */
const RECOVERY_MS = 6000;

export class Health {
  readonly #circumstances: Circumstances;
  readonly #now: () => number;
  readonly #sickUntil = new Map<SimulatedProcess, number>();

  /** `now`: world time. */
  constructor(circumstances: Circumstances, now: () => number) {
    this.#circumstances = circumstances;
    this.#now = now;
  }

  /** It takes a while until a worker that starts is in the pool. */
  begin(process: SimulatedProcess): void {
    const id = process.name as WorkerId;
    this.#circumstances.witnesses.set(id, { id, cameBackAt: [], sick: [], beats: [] });
    this.#sickUntil.set(process, this.#now() + RECOVERY_MS);
  }

  /** Something is or was wrong with it: until it has ended and some time after, it owes nothing. */
  sicken(process: SimulatedProcess, forMs: number): void {
    const from = this.#now();
    const to = from + forMs + RECOVERY_MS;
    this.#circumstances.witnesses.get(process.name as WorkerId)?.sick.push({ from, to });
    this.#sickUntil.set(process, Math.max(to, this.#sickUntil.get(process) ?? 0));
  }

  /** Its watch passes changes over: until it finds out, it owes nothing that it may not know of. */
  blind(process: SimulatedProcess, forMs: number): void {
    const until = this.#now() + forMs + BLIND_MS;
    this.#sickUntil.set(process, Math.max(until, this.#sickUntil.get(process) ?? 0));
  }

  isSound(process: SimulatedProcess): boolean {
    const isWell = (this.#sickUntil.get(process) ?? 0) <= this.#now();
    return isWell && process.clock.isRunning && process.link.isSound;
  }
}
