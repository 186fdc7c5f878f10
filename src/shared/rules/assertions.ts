/**
 * What an answer means: probe → **judge** → state. Everything that can be known beforehand is
 * compiled once a spec; a run then costs a JSON.parse and a few comparisons.
 */

import type { CheckSpec } from '../domain/check.ts';
import type { Answer, Verdict } from '../domain/result.ts';
import { compileCondition } from './conditions.ts';
import { compileExtraction, type Extracted, type Finding } from './extraction.ts';
import { bodyText } from './json-body.ts';

const NOTHING: Extracted = { found: [], values: Object.freeze({}), finding: null };

/**
 * Every condition of the spec must hold; the verdict's reason names each that does not, its code is
 * the first one's. Where nothing is said about what a good answer is, its status is 200 to 399.
 * Throws what compilePath and compilePattern throw; the judge itself does not throw.
 */
export const compileJudge = (spec: CheckSpec): ((answer: Answer) => Verdict) => {
  const extraction = compileExtraction(spec);
  const byStatus = spec.assertions.filter(({ source }) => source === 'http_status');
  const others = spec.assertions.filter(({ source }) => source !== 'http_status');
  const statusConditions = byStatus.map((assertion) => compileCondition(assertion, extraction));
  const conditions = others.map((assertion) => compileCondition(assertion, extraction));
  if (spec.assertions.every(({ source }) => source === 'response_time'))
    statusConditions.push(defaultStatus);
  const readsBody = extraction !== null || others.some(({ source }) => source === 'body');

  return (answer) => {
    const text = readsBody ? bodyText(answer) : '';
    const { found, values, finding } = extraction ? extraction.read(answer, text) : NOTHING;
    const facts = { answer, text, found };
    let failures: Finding[] | null = null;
    for (const condition of statusConditions) failures = collected(failures, condition(facts));
    failures = collected(failures, finding);
    for (const condition of conditions) failures = collected(failures, condition(facts));
    return failures
      ? critical(failures, values)
      : { status: 'ok', code: null, reason: null, values };
  };
};

const collected = (failures: Finding[] | null, finding: Finding | null): Finding[] | null => {
  if (!finding) return failures;
  if (!failures) return [finding];
  failures.push(finding);
  return failures;
};

const critical = (failures: readonly Finding[], values: Verdict['values']): Verdict => ({
  status: 'critical',
  code: failures[0]?.code ?? 'assertion',
  reason: failures.map(({ reason }) => reason).join('; '),
  values,
});

const defaultStatus = ({ answer: { statusCode } }: { readonly answer: Answer }): Finding | null =>
  statusCode >= 200 && statusCode < 400
    ? null
    : { code: 'http_status', reason: `http_status ${statusCode} not in 200-399` };
