/** `post_endpoint` of a check file: delivery → **any HTTP endpoint that takes JSON**, item by item. */

import type { PostEndpoint } from '../domain/check.ts';
import type { Destination, DestinationContext, Verification } from './destination.ts';
import { destinationId } from './destination-id.ts';
import {
  failedBy,
  hostIn,
  MAX_POST_BYTES,
  type Posting,
  type PostRequest,
  postsOfItems,
  sendPost,
  verifyByReaching,
} from './http/json-post.ts';
import { outcomeOf, outcomeOfFailure } from './http/outcome.ts';

type Endpoint = Pick<PostEndpoint, 'url' | 'apiKey'>;

export const endpointDestination = (
  endpoint: Endpoint,
  context: DestinationContext,
): Destination<Posting> => {
  const { url, apiKey } = endpoint;
  const { secrets } = context;
  const key = apiKey ? [apiKey.name, apiKey.value, apiKey.in] : [];
  return {
    id: destinationId('post_endpoint', url, ...key),
    label: `post ${hostIn(url)}`.trimEnd(),
    windowMs: 50,
    // Datadog's for events; older news is of no use to other endpoints either.
    maxAgeMs: 18 * 3_600_000,
    concurrency: 32,
    maxItems: 1,
    maxCallBytes: MAX_POST_BYTES,
    wants: () => true,
    encode: (items) => postsOfItems(items, ({ body }) => JSON.stringify(body)),
    send: ({ payload: posting }, signal) =>
      sendPost(context, {
        posting,
        request: (text) => requestOf(text, endpoint, context),
        signal,
      }),
    verify: (signal) =>
      isDatadog(url) && apiKey
        ? verifyDatadog(endpoint, context, signal)
        : verifyByReaching(context, () => secrets.resolve(url), signal),
    [Symbol.asyncDispose]: async () => {},
  };
};

const requestOf = (
  body: string,
  { url, apiKey }: Endpoint,
  { secrets }: DestinationContext,
): PostRequest => {
  const request = { url: secrets.resolve(url), headers: {}, body };
  if (!apiKey) return request;
  const { name } = apiKey;
  const value = secrets.resolve(apiKey.value);
  const headed = (header: string, text: string): PostRequest => ({
    ...request,
    headers: { [header]: text },
  });
  switch (apiKey.in) {
    case 'query':
      return { ...request, url: withParameter(request.url, name, value) };
    case 'header':
      return headed(name.toLowerCase(), value);
    case 'bearer':
      return headed('authorization', `Bearer ${value}`);
    case 'basic':
      return headed('authorization', `Basic ${Buffer.from(`${name}:${value}`).toString('base64')}`);
    case 'body':
      return { ...request, body: JSON.stringify({ ...JSON.parse(body), [name]: value }) };
  }
};

/** As text: `URL.searchParams` would spell what stands there already in its own way. */
const withParameter = (url: string, name: string, value: string): string => {
  const [address = ''] = url.split('#');
  const joint = !address.includes('?') ? '?' : /[?&]$/.test(address) ? '' : '&';
  return `${address}${joint}${encodeURIComponent(name)}=${encodeURIComponent(value)}`;
};

const DATADOG = /(^|\.)(datadoghq\.com|datadoghq\.eu|ddog-gov\.com)$/;

const isDatadog = (url: string): boolean => DATADOG.test(URL.parse(url)?.hostname ?? '');

/** Datadog can say whether it knows a key. */
const verifyDatadog = async (
  { url, apiKey }: Endpoint,
  { secrets, http, clock }: DestinationContext,
  signal: AbortSignal,
): Promise<Verification> => {
  const host = hostIn(url);
  try {
    const headers = { 'dd-api-key': secrets.resolve(apiKey?.value ?? '') };
    const address = `https://${host}/api/v1/validate`;
    const answer = await http.call({ method: 'GET', url: address, headers }, signal);
    const outcome = outcomeOf(answer, clock.now());
    if (outcome.kind !== 'delivered') return failedBy(outcome);
    if (/"valid"\s*:\s*true/.test(answer.body))
      return { state: 'ok', message: `${host} knows the key` };
    return { state: 'failed', message: `${host} does not know the key: check key and site` };
  } catch (error) {
    return failedBy(outcomeOfFailure(error));
  }
};
