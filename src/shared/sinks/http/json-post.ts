/** What endpoints and webhooks have in common: one item, one JSON text, one POST. */

import { identityOf } from '../../domain/delivery.ts';
import type { Call, DestinationContext, Item, Outcome, Verification } from '../destination.ts';
import { outcomeOf, outcomeOfFailure } from './outcome.ts';

/** Most services that take such posts allow no more. */
export const MAX_POST_BYTES = 1024 * 1024;

/** What a call carries. */
export interface Posting {
  readonly text: string;
  /** Tells a repeat from news. */
  readonly identity: string;
}

/** A call for each item that is not too large. */
export const postsOfItems = (
  items: readonly Item[],
  textOf: (item: Item) => string,
): readonly Call<Posting>[] => {
  const calls: Call<Posting>[] = [];
  for (const item of items) {
    const text = textOf(item);
    const bytes = Buffer.byteLength(text);
    if (bytes > MAX_POST_BYTES) continue;
    calls.push({ items: [item], bytes, payload: { text, identity: identityOf(item.emission) } });
  }
  return calls;
};

export interface PostRequest {
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface SendPostOptions {
  readonly posting: Posting;
  /** Resolves secrets, which may fail. */
  readonly request: (text: string) => PostRequest;
  readonly signal: AbortSignal;
}

export const sendPost = async (
  { http, clock }: DestinationContext,
  { posting: { text, identity }, request, signal }: SendPostOptions,
): Promise<Outcome> => {
  try {
    const { url, body, headers: given } = request(text);
    const own = { 'content-type': 'application/json', 'idempotency-key': inHeader(identity) };
    const headers = { ...own, ...given };
    return outcomeOf(await http.call({ method: 'POST', url, headers, body }, signal), clock.now());
  } catch (error) {
    return outcomeOfFailure(error);
  }
};

/** For a sink that can only be asked by posting. */
export const verifyByReaching = async (
  { http }: DestinationContext,
  url: () => string,
  signal: AbortSignal,
): Promise<Verification> => {
  try {
    const address = url();
    await http.reach(address, signal);
    const message = `${hostIn(address)} takes connections; path, key and body are not tested, as that would post`;
    return { state: 'untested', message };
  } catch (error) {
    return failedBy(outcomeOfFailure(error));
  }
};

export const failedBy = (outcome: Outcome): Verification => {
  const reason = 'reason' in outcome ? outcome.reason : 'no clear answer';
  return { state: 'failed', message: `${reason}; check the address, the key and the way there` };
};

/** All that may be shown of a URL; empty where the host itself stands elsewhere. */
export const hostIn = (url: string): string => URL.parse(url)?.host ?? '';

/** Headers are ASCII, keys of checks are not. */
const inHeader = (text: string): string =>
  text.toWellFormed().replace(/[^\x20-\x7e]/gu, encodeURIComponent);
