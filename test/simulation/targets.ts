/** What the checks of a simulated pool ask: targets that answer soon, slowly, or so that the asking process dies. */

import type { Random } from '../../src/shared/runtime/random.ts';

export class Targets {
  /** How slowly some of them answer, in ms. */
  readonly slow = new Map<string, number>();
  /** Nobody survives these. */
  readonly poison = new Set<string>();
  /** How many have died of the worst one. */
  mostDeaths = 0;
  readonly #random: Random;
  readonly #deaths = new Map<string, number>();

  constructor(random: Random) {
    this.#random = random;
  }

  answer(key: string): { readonly afterMs: number; readonly kills: boolean } {
    const kills = this.poison.has(key);
    if (kills) this.#kill(key);
    return { afterMs: this.slow.get(key) ?? 5 + 60 * this.#random.next(), kills };
  }

  heal(): void {
    this.slow.clear();
    this.poison.clear();
    this.#deaths.clear();
  }

  #kill(key: string): void {
    const deaths = (this.#deaths.get(key) ?? 0) + 1;
    this.#deaths.set(key, deaths);
    this.mostDeaths = Math.max(this.mostDeaths, deaths);
  }
}
