/** Specs and answers for the tests of judging, with only what a test is about. */

import type {
  Assertion,
  HttpSpec,
  JsonValue,
  Operator,
  ValueQuery,
} from '../../../src/shared/domain/check.ts';
import type { Answer } from '../../../src/shared/domain/result.ts';
import { compileJudge } from '../../../src/shared/rules/assertions.ts';

export const spec = (parts: Partial<HttpSpec>): HttpSpec => ({
  kind: 'http',
  schedule: { cron: '* * * * *', timezone: 'UTC', splayMs: 0 },
  request: {
    scheme: 'http',
    method: 'GET',
    headers: [],
    timeoutMs: 10_000,
    followRedirects: 5,
    ipFamily: 'any',
    connection: 'fresh',
  },
  values: [],
  assertions: [],
  failAfter: 1,
  onCoordinationLoss: 'run',
  ...parts,
});

export const answer = (body: string | Buffer, parts: Partial<Answer> = {}): Answer => ({
  kind: 'answer',
  statusCode: 200,
  headers: {},
  body: Buffer.from(body),
  oversize: false,
  durationMs: 10,
  phases: {},
  host: 'target',
  ...parts,
});

export const named = (name: string): ValueQuery => ({ name, path: name });
export const json = (
  operator: Operator,
  operand: JsonValue,
  parts: Partial<Assertion> = {},
): Assertion => ({
  source: 'json',
  value: named('v'),
  operator,
  operand,
  ...parts,
});
export const judge = (parts: Partial<HttpSpec>, given: Answer) => compileJudge(spec(parts))(given);
export const reasonOf = (assertion: Assertion, given: Answer) =>
  judge({ assertions: [assertion] }, given).reason;
export const body = (v: JsonValue) => answer(JSON.stringify({ v }));
