/** One proof against a fault: what is broken, how often it was met, what came of it. */

export type Size = 'full' | 'small';

export interface Proof {
  /** Printed and kept: how much was done, how often the fault was met, results by status. */
  readonly counts: Readonly<Record<string, number>>;
  /** The fault was met, and the promise held. */
  readonly holds: boolean;
}

export interface Row {
  readonly name: string;
  /** The promise, as one sentence. */
  readonly title: string;
  /** Folders and files whose change makes a proof stale. */
  readonly covers: readonly string[];
  /** Null where a program or a namespace that it needs cannot be had. */
  prove(size: Size): Promise<Proof | null>;
}
