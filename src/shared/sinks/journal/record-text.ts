/**
 * A record's JSON: journal → **text** → segment. A result is a list of values without its keys, which
 * are the same in every record and would be half of it: half the disk, and half the backlog.
 */

import type { CheckId } from '../../domain/check.ts';
import type { DestinationId, Emission, PostBody, ResultEmission } from '../../domain/delivery.ts';
import type { Result } from '../../domain/result.ts';

/** Rendered posts by destination. */
export type Bodies = Readonly<Record<DestinationId, PostBody>>;

export interface JournalRecord {
  readonly emission: Emission;
  readonly bodies: Bodies | null;
}

/** In this order for good: files outlive the version that wrote them. New ones go to the end. */
type Fields = [
  id: CheckId,
  check: string,
  tick: number,
  start: number,
  latenessMs: number,
  durationMs: number,
  phases: Result['phases'],
  status: Result['status'],
  code: Result['code'],
  reason: string | null,
  values: Result['values'],
  worker: string,
  token: string,
  detached: 0 | 1,
  /** 0 also where the result has none. */
  unscheduled: 0 | 1,
  certificateExpiresAt: number | null,
];

/** A list is a result, anything else is written as it is. */
type Written = readonly [Fields, ResultEmission['transition'], Bodies | null] | JournalRecord;

export const textOf = (emission: Emission, bodies: Bodies | null): string =>
  JSON.stringify(
    emission.kind === 'result'
      ? [fieldsOf(emission.result), emission.transition, bodies]
      : { emission, bodies },
  );

/** Throws where the text is none of these. */
export const recordOf = (text: string): JournalRecord => {
  const written = JSON.parse(text) as Written;
  if (!isList(written)) return written;
  const [fields, transition, bodies] = written;
  return { emission: { kind: 'result', result: resultOf(fields), transition }, bodies };
};

const isList = (written: Written): written is Extract<Written, readonly unknown[]> =>
  Array.isArray(written);

const fieldsOf = (result: Result): Fields => [
  result.id,
  result.check,
  result.tick,
  result.start,
  result.latenessMs,
  result.durationMs,
  result.phases,
  result.status,
  result.code,
  result.reason,
  result.values,
  result.worker,
  result.token,
  result.detached ? 1 : 0,
  result.unscheduled ? 1 : 0,
  result.certificateExpiresAt ?? null,
];

const resultOf = (fields: Fields): Result => ({
  id: fields[0],
  check: fields[1],
  tick: fields[2],
  start: fields[3],
  latenessMs: fields[4],
  durationMs: fields[5],
  phases: fields[6],
  status: fields[7],
  code: fields[8],
  reason: fields[9],
  values: fields[10],
  worker: fields[11],
  token: fields[12],
  detached: fields[13] === 1,
  ...(fields[14] === 1 ? { unscheduled: true } : {}),
  ...(fields[15] === null ? {} : { certificateExpiresAt: fields[15] }),
});
