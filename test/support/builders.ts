/** Checks for tests: everything has a plain default, a test names what it is about. */

import type {
  CheckDefinition,
  CheckId,
  HttpSpec,
  JobsetId,
  Schedule,
} from '../../src/shared/domain/check.ts';
import type { Answer } from '../../src/shared/domain/result.ts';
import type { HeldJobset } from '../../src/worker/workload.ts';

export const aSpec = (
  overrides: Partial<Omit<HttpSpec, 'schedule' | 'request'>> & {
    schedule?: Partial<Schedule>;
    request?: Partial<HttpSpec['request']>;
  } = {},
): HttpSpec => ({
  kind: 'http',
  values: [],
  assertions: [],
  failAfter: 1,
  ...overrides,
  schedule: { cron: '* * * * *', timezone: 'UTC', splayMs: 0, ...overrides.schedule },
  request: {
    scheme: 'http',
    method: 'GET',
    headers: [],
    timeoutMs: 10_000,
    followRedirects: 5,
    ipFamily: 'any',
    connection: 'fresh',
    ...overrides.request,
  },
});

export const aCheck = (key: string, spec: HttpSpec = aSpec()): CheckDefinition => ({
  id: `id-of-${key}` as CheckId,
  key,
  spec,
});

export const aJobset = (
  definitions: readonly CheckDefinition[],
  { id = 'jobset', token = '1' }: { id?: string; token?: string } = {},
): HeldJobset => ({ claim: { jobset: id as JobsetId, token }, definitions });

export const anAnswer = (overrides: Partial<Answer> = {}): Answer => ({
  kind: 'answer',
  host: 'host',
  durationMs: 5,
  phases: { first_byte: 4, body: 1 },
  statusCode: 200,
  headers: {},
  body: Buffer.from('{"status":"ok"}'),
  oversize: false,
  ...overrides,
});
