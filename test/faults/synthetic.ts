/**
 * Results without checks, each with a number: what is sent can be told from what arrives, in every
 * sink, by check and tick alone.
 */

import type { CheckId } from '../../src/shared/domain/check.ts';
import type { Result, Transition } from '../../src/shared/domain/result.ts';

export interface Sequence {
  /** Tick of number 0: a whole second, ms since the epoch. */
  readonly startAt: number;
  readonly perSecond: number;
  /** Not fewer than come in a second, or a check would have two results with one tick. */
  readonly checks: number;
  /** Each result with such a number is a change of status. */
  readonly changeEvery: number;
  /** Of a value that each result carries, to fill a disk with few of them. */
  readonly valueBytes?: number;
}

const KEY = /^host-(\d+)\.fault\.test\/health$/;
const keyOf = (check: number): string => `host-${check}.fault.test/health`;

/** When it is made. */
export const dueAt = (n: number, { startAt, perSecond }: Sequence): number =>
  startAt + (n / perSecond) * 1000;

/** The first that is not made yet. */
export const nextAt = (now: number, { startAt, perSecond }: Sequence): number =>
  Math.max(0, Math.ceil(((now - startAt) * perSecond) / 1000));

export const isChange = (n: number, { changeEvery }: Sequence): boolean => n % changeEvery === 0;

export const madeOf = (
  n: number,
  sequence: Sequence,
): { readonly result: Result; readonly transition: Transition | null } => {
  const tick = sequence.startAt + Math.floor(n / sequence.perSecond) * 1000;
  const check = n % sequence.checks;
  const changes = isChange(n, sequence);
  const reason = changes ? 'HTTP 503 where 2xx was expected' : null;
  const result: Result = {
    id: `0b9ff52e-4a5c-5d3e-9c2a-${String(check).padStart(12, '0')}` as CheckId,
    check: keyOf(check),
    tick,
    start: tick + 3,
    latenessMs: 3,
    durationMs: durationOf(n, sequence),
    phases: { dns: 0, connect: 1.234, first_byte: 8.125, body: 0.25 },
    status: changes ? 'critical' : 'ok',
    code: null,
    reason,
    values: {
      status: changes ? 'down' : 'ok',
      ...(sequence.valueBytes ? { text: 'x'.repeat(sequence.valueBytes) } : {}),
    },
    worker: '4f7a0e1c-93a2-4e1b-b1c5-6d1e4f0a9b11',
    token: '7',
    detached: false,
  };
  const transition: Transition = { from: 'ok', to: 'critical', at: tick + 11, reason };
  return { result, transition: changes ? transition : null };
};

/** Different for each run of a check, as CloudWatch keeps values without the second they are from. */
const durationOf = (n: number, { checks }: Sequence): number => Math.floor(n / checks) + 1;

/** Null where no such result is ever made. */
export const numberOf = (check: string, tick: number, sequence: Sequence): number | null => {
  const { startAt, perSecond, checks } = sequence;
  const [, digits] = KEY.exec(check) ?? [];
  const first = ((tick - startAt) / 1000) * perSecond;
  if (digits === undefined || !Number.isInteger(first) || first < 0) return null;
  const into = (((Number(digits) - first) % checks) + checks) % checks;
  return into < perSecond ? first + into : null;
};

export const numberOfDuration = (
  check: string,
  durationMs: number,
  { checks }: Sequence,
): number | null => {
  const [, digits] = KEY.exec(check) ?? [];
  return digits === undefined ? null : (durationMs - 1) * checks + Number(digits);
};
