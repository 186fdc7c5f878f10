/**
 * Whether the network of this worker itself is at fault: runner and reachability each suspect it by what
 * they see → **network doubt** → log, metric, and relief, which gives nothing away meanwhile.
 */

import type { Log } from '../shared/runtime/log.ts';
import type { Meter } from '../shared/runtime/meter.ts';

/** `runs`: most of them fail at once. `endpoints`: most hosts look unreachable from here. */
type Witness = 'runs' | 'endpoints';

export interface NetworkDoubtOptions {
  readonly log: Log;
  readonly meter: Meter;
}

export class NetworkDoubt {
  readonly #options: NetworkDoubtOptions;
  readonly #witnesses = new Set<Witness>();

  constructor(options: NetworkDoubtOptions) {
    this.#options = options;
  }

  get isDoubted(): boolean {
    return this.#witnesses.size > 0;
  }

  changed(by: Witness, change: 'entered' | 'left'): void {
    if (change === 'entered') this.#witnesses.add(by);
    else this.#witnesses.delete(by);
    if (by === 'runs') this.#tell(change);
    this.#options.meter.gauge('watcher.network.suspected').set(this.isDoubted ? 1 : 0);
  }

  /** Said once an episode: results alone would not show the cause. Reachability tells of its own. */
  #tell(change: 'entered' | 'left'): void {
    const { log } = this.#options;
    if (change === 'entered') log.error('most targets fail at once: the network here is suspected');
    else log.info('the network here is not suspected any more');
  }
}
