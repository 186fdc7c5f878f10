/** Asks a running watcher over its HTTP address. */

import { type IncomingMessage, request } from 'node:http';
import { request as requestTls } from 'node:https';
import { json } from 'node:stream/consumers';
import { WatcherError } from '../shared/domain/errors.ts';
import { isLoopback } from '../shared/rules/loopback.ts';

/** An answer that takes longer comes from something that is not well, or not watcher. */
const ANSWER_MS = 5000;

export interface Call {
  /** GET when absent. */
  readonly method?: 'GET' | 'POST' | 'DELETE';
  /** The body: what a check file holds. */
  readonly yaml?: Uint8Array;
}

export interface Answer {
  readonly status: number;
  /** JSON; whoever asked knows its shape. */
  readonly body: unknown;
}

/**
 * `path` is relative to the address. Throws WCH_USAGE for an address that is none or not safe, and
 * WCH_NOT_REACHABLE when nobody answers, or something that is not watcher.
 */
export async function ask(address: string, path: string, call: Call = {}): Promise<Answer> {
  const url = urlOf(address, path);
  const headers = headersFor(url);
  try {
    const response = await send(url, call, headers);
    return { status: response.statusCode ?? 0, body: await json(response) };
  } catch (cause) {
    const message = `no watcher answers at ${url.origin}; is it running, and is --address right?`;
    throw new WatcherError('WCH_NOT_REACHABLE', message, { cause, retryable: true });
  }
}

/** The body of a 200; any other answer is thrown with the message that came with it. */
export async function read<T>(address: string, path: string, call: Call = {}): Promise<T> {
  const answer = await ask(address, path, call);
  if (answer.status === 200) return answer.body as T;
  throw refusalOf(answer);
}

/** What an answer that is none says. */
export const refusalOf = ({ status, body }: Answer): WatcherError => {
  const { message = `HTTP ${status}` } = (body ?? {}) as { readonly message?: string };
  return new WatcherError(status >= 500 ? 'WCH_NOT_REACHABLE' : 'WCH_USAGE', message);
};

const urlOf = (address: string, path: string): URL => {
  const base = /^https?:\/\//.test(address) ? address : `http://${address}`;
  if (!URL.canParse(path, base))
    throw new WatcherError('WCH_USAGE', `--address: '${address}' is not a URL`);
  return new URL(path, base);
};

/** Throws WCH_USAGE rather than show the token to whoever is on the way. */
const headersFor = (url: URL): Readonly<Record<string, string>> => {
  const token = process.env['WATCHER_TOKEN'];
  if (token === undefined) return {};
  if (url.protocol === 'https:' || isLoopback(url.hostname.replace(/^\[|\]$/g, '')))
    return { authorization: `Bearer ${token}` };
  const message = `WATCHER_TOKEN is not sent to ${url.origin}, which is neither https nor loopback`;
  throw new WatcherError('WCH_USAGE', message);
};

const send = (
  url: URL,
  { method = 'GET', yaml }: Call,
  headers: Readonly<Record<string, string>>,
): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const start = url.protocol === 'https:' ? requestTls : request;
    const type = yaml === undefined ? {} : { 'content-type': 'application/yaml' };
    const options = { method, headers: { ...headers, ...type }, signal };
    start(url, options, resolve).on('error', reject).end(yaml);
  });
