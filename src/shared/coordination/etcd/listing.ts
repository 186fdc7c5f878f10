/** All keys under a prefix, page by page: store → **listing** → calls. */

import type { IRangeResponse } from 'etcd3';
import { WatcherError } from '../../domain/errors.ts';
import type { Entry, Revision } from '../kv.ts';
import { isAnswerTooLong } from './errors.ts';
import { entryOf, keyAfter, rangeOf } from './wire.ts';

export interface Listing {
  readonly entries: readonly Entry[];
  readonly total: number;
  readonly revision: Revision;
}

interface PageRequest {
  readonly key: Buffer;
  readonly range_end: Buffer;
  readonly revision: Revision;
  readonly limit: number;
  readonly min_mod_revision: Revision;
}

type Ask = (request: PageRequest) => Promise<IRangeResponse>;

/** Keys in one answer. A page that is longer than what we accept is asked for again, in smaller ones. */
const PAGE_KEYS = 1000;
/** Of a listing that is overtaken by compaction. */
const LISTING_TRIES = 3;

/** All pages at the revision of the first; from the start when compaction overtakes them. */
export const listAll = async (
  prefix: string,
  minModRevision: Revision,
  ask: Ask,
): Promise<Listing> => {
  for (let tries = 1; ; tries += 1) {
    try {
      return await allPages(prefix, minModRevision, ask);
    } catch (error) {
      const isCompacted = error instanceof WatcherError && error.code === 'WCH_STORE_COMPACTED';
      if (!isCompacted) throw error;
      if (tries >= LISTING_TRIES)
        throw new WatcherError('WCH_STORE_UNAVAILABLE', error.message, {
          cause: error,
          retryable: true,
        });
    }
  }
};

const allPages = async (prefix: string, minModRevision: Revision, ask: Ask): Promise<Listing> => {
  const entries: Entry[] = [];
  const { key: start, range_end } = rangeOf(prefix);
  let [key, revision, total]: [Buffer, Revision, number] = [start, 0, 0];
  for (let limit = PAGE_KEYS; ; ) {
    const request = { key, range_end, revision, limit, min_mod_revision: minModRevision };
    const page = await ask(request).catch((error: unknown) => {
      if (limit === 1 || !isAnswerTooLong(error)) throw error;
      return null;
    });
    if (page === null) {
      limit = Math.ceil(limit / 8);
      continue;
    }
    if (revision === 0) {
      revision = Number(page.header.revision);
      total = Number(page.count);
    }
    for (const kv of page.kvs) entries.push(entryOf(kv));
    // Not of the entry: a key that watcher did not write need not be text.
    const last = page.kvs.at(-1);
    if (!page.more || last === undefined) return { entries, total, revision };
    key = keyAfter(last.key);
  }
};
