/**
 * Advice on many checks of one address: each fresh connection leaves a local port waiting for a
 * minute or more, and a machine has some 28,000 of them for one address.
 */

import type { CheckDefinition } from '../domain/check.ts';
import type { Diagnostic } from '../domain/diagnostic.ts';
import { cronOf } from '../rules/schedule.ts';
import { diagnosticOf, WHOLE_FILE } from './diagnostics.ts';

/** 28,232 ports of Linux's default range, each 60 s in TIME_WAIT, with some room. */
const FRESH_A_SECOND = 400;

export const pressureAdvice = (
  definitions: readonly CheckDefinition[],
  where: string,
): readonly Diagnostic[] => {
  const rates = new Map<string, number>();
  for (const { id, key, spec } of definitions) {
    if (spec.request.connection !== 'fresh') continue;
    const address = addressOf(spec.request.url ?? `${spec.request.scheme}://${key}`);
    const rate = 1000 / cronOf(spec.schedule, id).intervalMs;
    rates.set(address, (rates.get(address) ?? 0) + rate);
  }
  return [...rates]
    .filter(([, rate]) => rate > FRESH_A_SECOND)
    .map(([address, rate]) =>
      diagnosticOf(where, {
        code: 'I206',
        place: WHOLE_FILE,
        message: `${Math.round(rate)} fresh connections a second to ${address}`,
        hint: 'set connection: reuse for some of its checks, or run them less often',
      }),
    );
};

/** `https://host:port` of a URL that is known to be one. */
const addressOf = (url: string): string => {
  const end = url.slice(8).search(/[/?]/);
  return end < 0 ? url : url.slice(0, 8 + end);
};
