import { afterAll, describe, expect, it } from 'vitest';
import { closingWith, response, startHttpTarget } from '../../support/http-target.ts';
import { aProbe, aRequest } from '../../support/probing.ts';

const probe = aProbe();
afterAll(() => probe.close());

describe('stack traces', () => {
  it('are there for whoever hears of the end of a run, and afterwards', async () => {
    await using target = await startHttpTarget(closingWith(response('fine')));
    const usual = Error.stackTraceLimit;
    const limits: number[] = [];
    const runs = Array.from({ length: 20 }, () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      probe.start(`${target.at}/`, probe.prepare(aRequest()), () => {
        limits.push(Error.stackTraceLimit);
        resolve();
      });
      return promise;
    });
    await Promise.all(runs);
    limits.push(Error.stackTraceLimit);
    expect(new Set(limits)).toEqual(new Set([usual]));
  });
});
