/**
 * Notices that etcd is no longer the one that we knew. Wiped, or restored from a backup: its revisions
 * start again lower, and a token of before may come to mean something else, so whatever was handed out
 * in an epoch ends with it: leases are lost, watches end with a gap. Another cluster behind the same
 * address is none of ours: its answers are refused, and nothing ends.
 */

import type { IResponseHeader } from 'etcd3';
import { WatcherError } from '../../domain/errors.ts';
import type { Revision } from '../kv.ts';
import { ForeignClusterError } from './errors.ts';

interface Line {
  readonly cluster: string;
  readonly ended: AbortController;
  /** The highest seen. */
  revision: Revision;
}

/** What was known when a request was sent: its answer must not be older. */
export interface Mark {
  readonly line: Line | null;
  readonly floor: Revision;
}

export class Epoch {
  #line: Line | null = null;

  /** To be taken before a request is sent: of two answers that cross, the older one is no step back. */
  mark(): Mark {
    return { line: this.#line, floor: this.#line?.revision ?? 0 };
  }

  /** Aborts when the epoch ends. Null before etcd's first answer. */
  get ended(): AbortSignal | null {
    return this.#line?.ended.signal ?? null;
  }

  /** Throws for an answer of another cluster than the one that answered first. */
  requireSameCluster({ cluster_id }: IResponseHeader): void {
    const cluster = this.#line?.cluster ?? cluster_id;
    if (cluster_id !== cluster) throw new ForeignClusterError(cluster_id, cluster);
  }

  /**
   * Takes note of the header of a linearizable answer; those of renewals and watches may come from a
   * member that lags. Throws WCH_STORE_UNAVAILABLE, retryable, when it belongs to another epoch.
   */
  observe(mark: Mark, header: IResponseHeader): void {
    const revision = Number(header.revision);
    if (revision >= mark.floor && mark.line === this.#line) {
      if (this.#line === null) this.#line = lineFrom(header);
      this.#line.revision = Math.max(this.#line.revision, revision);
      return;
    }
    // Another call may have met the new epoch first, or opened the first one.
    if (mark.line === null) return;
    if (mark.line === this.#line) {
      this.#line = lineFrom(header);
      mark.line.ended.abort();
    }
    throw new WatcherError('WCH_STORE_UNAVAILABLE', reasonOf(mark.floor, revision), {
      retryable: true,
    });
  }
}

const lineFrom = (header: IResponseHeader): Line => ({
  cluster: header.cluster_id,
  ended: new AbortController(),
  revision: Number(header.revision),
});

const reasonOf = (floor: Revision, revision: Revision): string =>
  revision < floor
    ? `etcd went back from revision ${floor} to ${revision}: it was restored from older data or wiped`
    : 'etcd went back while it was asked';
