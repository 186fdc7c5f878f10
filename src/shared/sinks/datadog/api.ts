/** Calls to Datadog's API: destination → **site and key** → transport. */

import type { DatadogSink } from '../../domain/sink-settings.ts';
import type { DestinationContext, Outcome, Verification } from '../destination.ts';
import { outcomeOf, outcomeOfFailure } from '../http/outcome.ts';
import type { HttpAnswer, HttpCall } from '../http/transport.ts';

export interface Posting {
  readonly path: string;
  readonly body: string | Uint8Array;
  readonly encoding?: 'gzip';
}

export interface DatadogApi {
  post(posting: Posting, signal: AbortSignal): Promise<Outcome>;
  /** Asks whether the key is valid; posts nothing. */
  verify(signal: AbortSignal): Promise<Verification>;
}

export const datadogApi = (
  { site, apiKey }: DatadogSink,
  { clock, secrets, http }: DestinationContext,
): DatadogApi => {
  const call = async (
    path: string,
    request: Omit<HttpCall, 'url'>,
    signal: AbortSignal,
  ): Promise<HttpAnswer> => {
    // In the header: a query would put the key into the logs of every proxy.
    const headers = { ...request.headers, 'dd-api-key': secrets.resolve(apiKey) };
    return http.call({ ...request, url: `https://api.${site}${path}`, headers }, signal);
  };
  return {
    post: async ({ path, body, encoding }, signal) => {
      const headers = {
        'content-type': 'application/json',
        ...(encoding ? { 'content-encoding': encoding } : {}),
      };
      try {
        return outcomeOf(await call(path, { method: 'POST', headers, body }, signal), clock.now());
      } catch (error) {
        return outcomeOfFailure(error);
      }
    },
    verify: async (signal) => {
      try {
        const answer = await call('/api/v1/validate', { method: 'GET', headers: {} }, signal);
        return verificationOf(answer, { site, now: clock.now() });
      } catch (error) {
        return verificationOfOutcome(outcomeOfFailure(error), site);
      }
    },
  };
};

const verificationOf = (
  answer: HttpAnswer,
  { site, now }: { readonly site: string; readonly now: number },
): Verification => {
  const outcome = outcomeOf(answer, now);
  if (outcome.kind !== 'delivered') return verificationOfOutcome(outcome, site);
  return /"valid"\s*:\s*true/.test(answer.body)
    ? { state: 'ok', message: `${site} knows the key` }
    : { state: 'failed', message: `${site} does not know the key: check api_key and site` };
};

const verificationOfOutcome = (outcome: Outcome, site: string): Verification => {
  const reason = 'reason' in outcome ? outcome.reason : 'no clear answer';
  return { state: 'failed', message: `${site}: ${reason}; check site, api_key and the way there` };
};
