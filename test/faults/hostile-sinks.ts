/**
 * Sinks that answer each request at random, in all the ways in which servers, proxies and networks
 * fail, and then heal. Before that, one with a key that is not valid.
 */

import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../src/shared/runtime/random.ts';
import type { AwsFault } from '../support/aws-double.ts';
import type { Behaviour, SinkRequest } from '../support/http-sink.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { range } from './arrivals.ts';
import {
  droppedIn,
  isFresh,
  isIdle,
  type Maker,
  type MakerReport,
  pendingOf,
  startMaker,
  unaccounted,
} from './maker.ts';
import type { Proof, Row, Size } from './row.ts';
import { type SinkDoubles, startSinkDoubles } from './sink-doubles.ts';
import { SINK_NAMES, type SinkName, viewOf, WINDOW_MS } from './sink-names.ts';
import { nextAt, type Sequence } from './synthetic.ts';

const SIZES = {
  full: { perSecond: 200, badKeyMs: 60_000, hostileMs: 180_000, faults: 60, drainMs: 1_200_000 },
  small: { perSecond: 100, badKeyMs: 2_500, hostileMs: 10_000, faults: 6, drainMs: 60_000 },
} as const satisfies Record<Size, object>;
const SLACK_MS = 2_000;
/** Of a body, in bytes as they come: more is refused with 413. */
const MOST_BYTES = 3_000;

export const hostileSinks: Row = {
  name: 'hostile-sinks',
  title: 'Whatever sinks answer, each result arrives or is counted as dropped with its reason',
  covers: ['src/shared/sinks', 'src/outlets.ts'],
  prove: async (size): Promise<Proof | null> => {
    await using folder = await mkdtempDisposable(path.join(tmpdir(), 'hostile-'));
    const { perSecond } = SIZES[size];
    const startAt = Math.ceil(Date.now() / 1000) * 1000;
    const sequence = { startAt, perSecond, checks: perSecond, changeEvery: 5 };
    await using doubles = await startSinkDoubles({ sequence, folder: folder.path, posts: true });
    const { sinks, posts, connectTo, env } = doubles;
    const stateFolder = path.join(folder.path, 'state');
    const options = { sequence, confirm: false, sinks, posts, stateFolder, connectTo };
    await using maker = startMaker(options, env);
    return await new Trial({ size, sequence, doubles, maker }).run();
  },
};

interface TrialParts {
  readonly size: Size;
  readonly sequence: Sequence;
  readonly doubles: SinkDoubles;
  readonly maker: Maker;
}

class Trial {
  readonly #parts: TrialParts;
  readonly #random = seededRandom(2);
  #refusals = 0;

  constructor(parts: TrialParts) {
    this.#parts = parts;
  }

  async run(): Promise<Proof> {
    const { size, doubles, maker } = this.#parts;
    const { badKeyMs, hostileMs, drainMs, faults } = SIZES[size];
    const badKey = await this.#badKey(badKeyMs);
    let isYearToCome = size === 'full';
    const answer = (request: SinkRequest): Behaviour | 'accept' => {
      const isYear = isYearToCome && request.path === '/api/v1/events';
      if (isYear) isYearToCome = false;
      const given = isYear ? A_YEAR : answerTo(request, { random: this.#random, size });
      if (given !== 'accept') this.#refusals += 1;
      return given;
    };
    doubles.answer('datadog', answer);
    doubles.answer('webhook', answer);
    doubles.failAws(Array.from({ length: faults }, () => faultOf(this.#random, size)));
    await sleep(hostileMs);
    doubles.answer('datadog', () => 'accept');
    doubles.answer('webhook', () => 'accept');
    await maker.until(isFresh, drainMs);
    maker.pause();
    await maker.until(isIdle, drainMs);
    const last = await maker.end();
    doubles.look();
    return this.#proofOf(last, badKey);
  }

  /** The post of the check files is refused; nobody else may notice. */
  async #badKey(forMs: number): Promise<readonly [from: number, to: number]> {
    const { doubles, maker, sequence } = this.#parts;
    const { next: from } = await maker.report();
    const forbidden = { status: 403, body: '{"errors":["Forbidden"]}' };
    doubles.answer('webhook', ({ path: where }) => (where === '/post' ? forbidden : 'accept'));
    await sleep(forMs);
    return [from, nextAt(Date.now(), sequence)];
  }

  #proofOf({ first, next, skipped, views }: MakerReport, badKey: readonly [number, number]): Proof {
    const { doubles } = this.#parts;
    const made = [...range(first, next - skipped)];
    const sinks = SINK_NAMES.map((name) => {
      const { repeats, wrong } = doubles.arrivals[name];
      const missing = doubles.arrivals[name].missing(made);
      const view = viewOf(name, views);
      return { repeats, wrong, missing, dropped: view ? droppedIn(view) : 0 };
    });
    const sum = (of: (one: (typeof sinks)[number]) => number): number =>
      sinks.reduce((total, one) => total + of(one), 0);
    const counts = {
      results: made.length,
      faulty_answers: this.#refusals + SIZES[this.#parts.size].faults,
      missing: sum(({ missing }) => missing),
      dropped: sum(({ dropped }) => dropped),
      // What a sink took without an answer may be dropped later, and has arrived all the same.
      not_counted: sum(({ missing, dropped }) => Math.max(0, missing - dropped)),
      repeats: sum(({ repeats }) => repeats),
      wrong: sum(({ wrong }) => wrong),
      unaccounted: unaccounted(views),
      pending_at_end: pendingOf(views),
      others_late_ms: Math.round(Math.max(...OTHERS.map((name) => this.#lateMs(name, badKey)))),
    };
    const none = ['not_counted', 'wrong', 'unaccounted', 'pending_at_end'] as const;
    const isInTime = counts.others_late_ms <= 0;
    return { counts, holds: isInTime && none.every((name) => counts[name] === 0) };
  }

  /** Beyond two windows. */
  #lateMs(name: SinkName, [from, to]: readonly [number, number]): number {
    const { doubles, sequence } = this.#parts;
    const limitMs = 2 * WINDOW_MS[name] + SLACK_MS;
    // What was made last met what came after.
    const end = to - (limitMs / 1000) * sequence.perSecond;
    return doubles.arrivals[name].oldestMs(from, end) - limitMs;
  }
}

/** CloudWatch gathers for longer than that is watched. */
const OTHERS = SINK_NAMES.filter((name) => name !== 'post' && name !== 'cloudwatch');

/** Once, and not to service checks: they are of no use any more when it is over. */
const A_YEAR: Behaviour = { status: 429, headers: { 'retry-after': '31536000' } };

type Make<T> = () => T;

/** Soon over. */
const PASSING: readonly Make<Behaviour>[] = [
  () => ({ status: 429, headers: { 'retry-after': '1' } }),
  () => ({ status: 429, headers: { 'retry-after': new Date(Date.now() + 2000).toUTCString() } }),
  () => ({ status: 429, headers: { 'retry-after': 'soon' } }),
  () => ({ status: 429, headers: { 'x-ratelimit-reset': '1' } }),
  () => ({ status: 408 }),
  () => ({ status: 500, body: '{"errors":["internal"]}' }),
  () => ({ status: 502, headers: { 'content-type': 'text/html' }, body: '<html>bad gateway' }),
  () => ({ status: 503 }),
  () => ({ status: 200, headers: { 'content-type': 'text/html' }, body: '<html>log in' }),
  () => ({ status: 200, body: '{"errors":["not accepted"]}' }),
  () => 'half',
  () => 'reset',
];
/** The sink is left alone for long. */
const LASTING: readonly Make<Behaviour>[] = [
  () => ({ status: 401, body: '{"errors":["Unauthorized"]}' }),
  () => ({ status: 403, body: '{"errors":["Forbidden"]}' }),
  () => ({ status: 302, headers: { location: 'https://elsewhere.fault.test/login' } }),
  () => 'hang',
  () => 'late',
  () => 'drip',
];

const ACCEPTED = 0.5;
/** Taken for too large whatever it is: one alone is dropped for it. */
const TOO_LARGE = 0.01;

const answerTo = (
  { raw }: SinkRequest,
  { random, size }: { readonly random: Random; readonly size: Size },
): Behaviour | 'accept' => {
  if (raw.length > MOST_BYTES || random.next() < TOO_LARGE)
    return { status: 413, body: '{"errors":["too large"]}' };
  if (random.next() < ACCEPTED) return 'accept';
  // Each of the lasting ones costs minutes.
  const isLasting = size === 'full' && random.next() < 0.05;
  return oneOf(isLasting ? LASTING : PASSING, random)();
};

const FAULTS: readonly Make<AwsFault>[] = [
  () => ({ kind: 'error', code: 'ThrottlingException' }),
  () => ({ kind: 'error', code: 'InternalFailure', status: 500 }),
  () => ({
    kind: 'error',
    code: 'ServiceUnavailable',
    status: 503,
    headers: { 'retry-after': '1' },
  }),
  () => ({ kind: 'error', code: 'RequestEntityTooLarge', status: 413 }),
  () => ({ kind: 'answer', status: 502, body: '<html>bad gateway' }),
  () => ({ kind: 'answer', status: 200, body: '<html>log in' }),
  () => ({ kind: 'entries', failed: { 0: 'ThrottlingException', 1: 'InternalFailure' } }),
  () => ({ kind: 'entries', failed: {} }),
  () => ({ kind: 'entries', failed: {} }),
  () => ({ kind: 'reset' }),
];
const LASTING_FAULTS: readonly Make<AwsFault>[] = [
  () => ({ kind: 'error', code: 'AccessDeniedException', status: 403 }),
  () => ({ kind: 'error', code: 'ExpiredTokenException', status: 403 }),
  () => ({ kind: 'hang' }),
  () => ({ kind: 'stall' }),
];

const faultOf = (random: Random, size: Size): AwsFault =>
  oneOf(size === 'full' && random.next() < 0.1 ? LASTING_FAULTS : FAULTS, random)();

const oneOf = <T>(list: readonly T[], random: Random): T =>
  list[Math.floor(random.next() * list.length)] as T;
