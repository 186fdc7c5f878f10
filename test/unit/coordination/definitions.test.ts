import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeDefinitions,
  digestOf,
  encodeDefinitions,
} from '../../../src/shared/coordination/definitions.ts';
import { LIMITS } from '../../../src/shared/coordination/kv.ts';
import { isNewerRecord } from '../../../src/shared/coordination/records.ts';
import type { CheckDefinition, CheckId } from '../../../src/shared/domain/check.ts';
import { aCheck, aSpec } from '../../support/builders.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const entries = (chunks: readonly Buffer[]) =>
  chunks.map((value, i) => ({ key: `/def/${i}`, value, modRevision: 1, lease: null }));
const stored = (definitions: readonly CheckDefinition[]) =>
  decodeDefinitions(entries(encodeDefinitions(definitions)));
const chunk = (json: string) => entries([deflateRawSync(json)]);

describe('definitions in the ledger', () => {
  it('come back as they were, in their order', () => {
    const definition = fc.record({
      id: fc.uuid() as fc.Arbitrary<string> as fc.Arbitrary<CheckId>,
      key: fc.string(),
      spec: fc
        .record({ failAfter: fc.integer(), body: fc.string() })
        .map(({ failAfter, body }) => aSpec({ failAfter, request: { body } })),
    });
    fc.assert(
      fc.property(fc.array(definition), (definitions) => {
        expect(stored(definitions)).toEqual(definitions);
      }),
    );
  });

  it('share one frozen spec where their specs are equal, though they were different objects', () => {
    const [a, b, c] = stored([
      aCheck('a', aSpec()),
      aCheck('b', aSpec({ failAfter: 2 })),
      aCheck('c', aSpec()),
    ]);
    expect(a?.spec).toBe(c?.spec);
    expect(a?.spec).not.toBe(b?.spec);
    expect(Object.isFrozen(a?.spec.request.headers)).toBe(true);
  });

  it('take a few kilobytes for a hundred checks', () => {
    const random = seededRandom(1);
    const hundred = Array.from({ length: 100 }, (_, n) => ({
      ...aCheck(`service-${n}.example.com/health`),
      id: random.uuid() as CheckId,
    }));
    const bytes = encodeDefinitions(hundred).reduce((sum, { length }) => sum + length, 0);
    expect(bytes).toBeLessThan(4096);
  });

  it('are spread over chunks of at most 256 KiB, as long as no single one is longer', () => {
    const random = seededRandom(1);
    const body = () => Array.from({ length: 2500 }, () => random.uuid()).join('');
    const big = Array.from({ length: 20 }, (_, n) =>
      aCheck(`big-${n}`, aSpec({ request: { body: body() } })),
    );
    const chunks = encodeDefinitions(big);
    expect(chunks.length).toBeGreaterThan(1);
    for (const { length } of chunks) expect(length).toBeLessThanOrEqual(256 * 1024);
    expect(chunks.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(LIMITS.requestBytes);
    expect(decodeDefinitions(entries(chunks))).toEqual(big);
  });

  it('come back in their order from more than ten chunks, whatever order those are read in', () => {
    const checks = Array.from({ length: 12 }, (_, n) => aCheck(`host-${n}`));
    const chunks = entries(checks.flatMap((check) => encodeDefinitions([check])));
    const asListed = chunks.toSorted((a, b) => (a.key < b.key ? -1 : 1));
    expect(asListed.map(({ key }) => key).slice(0, 3)).toEqual(['/def/0', '/def/1', '/def/10']);
    expect(decodeDefinitions(asListed)).toEqual(checks);
  });

  it('are read past keys that are no chunks', () => {
    const foreign = ['/def/notes', '/def/1/backup'].map((key) => ({
      ...{ key, value: Buffer.from('hello'), modRevision: 1, lease: null },
    }));
    const chunks = entries(encodeDefinitions([aCheck('a')]));
    expect(decodeDefinitions([...foreign, ...chunks])).toEqual([aCheck('a')]);
  });

  it.each([
    ['a newer version', chunk('{"v":2,"kind":"check","specs":[],"jobs":[]}')],
    ['no version', chunk('{"kind":"check","specs":[],"jobs":[]}')],
    ['another kind of job', chunk('{"v":1,"kind":"stream","jobs":[]}')],
    ['no kind of job', chunk('{"v":1,"specs":[],"jobs":[]}')],
    ['no specs', chunk('{"v":1,"kind":"check","jobs":[]}')],
    ['no jobs', chunk('{"v":1,"kind":"check","specs":[]}')],
    ['a job that is none', chunk('{"v":1,"kind":"check","specs":[],"jobs":["a"]}')],
    ['a job without a spec', chunk('{"v":1,"kind":"check","specs":[null],"jobs":[["a","a",0]]}')],
    [
      'a job of another spec',
      chunk('{"v":1,"kind":"check","specs":[],"jobs":[["a","a","length"]]}'),
    ],
    [
      'another kind of check',
      chunk('{"v":1,"kind":"check","specs":[{"kind":"dns"}],"jobs":[["a","a",0]]}'),
    ],
    ['no JSON', chunk('{"v":1')],
    ['something that is no record', chunk('null')],
    ['something not deflated', entries([Buffer.from('plain')])],
  ])('are refused by name when a chunk is %s', (_, damaged) => {
    expect(() => decodeDefinitions(damaged)).toThrow(
      expect.objectContaining({ code: 'WCH_RECORD', message: expect.stringContaining('/def/0') }),
    );
  });

  it.each([
    ['{"v":2}', true],
    ['{"v":1,"kind":"stream","jobs":[]}', true],
    ['{"v":1,"kind":"check","specs":[{"kind":"dns"}],"jobs":[]}', true],
    ['{"v":1,"kind":"check"}', false],
    ['{"v":1,"kind":7}', false],
  ])('tells whether a newer watcher has written them: %s', (json, isNewer) => {
    const refused = (): unknown => {
      try {
        return decodeDefinitions(chunk(json));
      } catch (error) {
        return error;
      }
    };
    expect(isNewerRecord(refused())).toBe(isNewer);
  });

  it('have the same digest exactly when they are the same in the same order', () => {
    const [a, b] = [aCheck('a', aSpec()), aCheck('b', aSpec())];
    expect(digestOf([a, b])).toBe(digestOf([aCheck('a', aSpec()), aCheck('b', aSpec())]));
    const others = [
      [b, a],
      [a],
      [{ ...a, key: 'x' }, b],
      [{ ...a, id: 'x' as CheckId }, b],
      [aCheck('a', aSpec({ failAfter: 2 })), b],
    ];
    const digests = others.map(digestOf);
    expect(new Set([digestOf([a, b]), ...digests]).size).toBe(others.length + 1);
  });
});
