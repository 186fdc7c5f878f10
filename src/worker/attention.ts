/**
 * What has to be looked at: each id that was noticed is handled soon, a few at a time, never the same
 * one twice at once. An id that is noticed while it is being handled is handled once more.
 */

export class Attention<Id> {
  readonly #atOnce: number;
  readonly #handle: (id: Id) => Promise<void>;
  /** In the order in which they came up. */
  readonly #due = new Set<Id>();
  readonly #busy = new Set<Id>();
  readonly #again = new Set<Id>();

  /** `handle` must not reject: nobody waits for it. */
  constructor(atOnce: number, handle: (id: Id) => Promise<void>) {
    this.#atOnce = atOnce;
    this.#handle = handle;
  }

  notice(id: Id): void {
    (this.#busy.has(id) ? this.#again : this.#due).add(id);
    this.#next();
  }

  #next(): void {
    for (const id of this.#due) {
      if (this.#busy.size >= this.#atOnce) return;
      this.#due.delete(id);
      this.#busy.add(id);
      void this.#handle(id).finally(() => {
        this.#busy.delete(id);
        if (this.#again.delete(id)) this.#due.add(id);
        this.#next();
      });
    }
  }
}
