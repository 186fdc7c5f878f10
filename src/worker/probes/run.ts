/**
 * One run of a check: its deadline, its redirects, its one retry, and the observation in the end.
 * States: an exchange goes on -> its body is decoded -> settled; a redirect or a retry starts the next
 * exchange. Settled for good by an observation, the deadline or an abort, whichever comes first.
 */

import type { Answer, Failure, Observation, Phases } from '../../shared/domain/result.ts';
import type { ConnectTo } from '../../shared/rules/connect-to.ts';
import type { Secrets } from '../../shared/secrets/resolve.ts';
import type { Expiring } from './deadlines.ts';
import { type Decoded, decodeBody } from './decode.ts';
import type { DialContext } from './dial.ts';
import { Exchange, type ExchangeOwner } from './exchange.ts';
import { canBeOurs, timeoutProblem } from './failures.ts';
import { firstHop, type Hop, isRedirect, nextHop, redirectRefused } from './hop.ts';
import { type LoopWatch, STALL_MS } from './loop-watch.ts';
import type { PreparedHttp } from './prepared.ts';
import type { Problem } from './problem.ts';
import type { Slot } from './slot.ts';
import type { Slots } from './slots.ts';
import { resetSocket } from './sockets.ts';
import { resumeStackTraces, suspendStackTraces } from './stack-traces.ts';
import { isProblem, type Target } from './target.ts';

/** What all runs of a probe share. */
export interface RunContext extends DialContext {
  readonly secrets: Secrets;
  readonly connectTo: ConnectTo;
  readonly bodyCapBytes: number;
  readonly watch: LoopWatch;
  readonly slots: { readonly fresh: Slots; readonly reuse: Slots };
  /** A kept connection turned out to be closed by its target. */
  readonly onMetClosed: () => void;
}

/** As the port of a probe has them. */
export interface RunEvents {
  readonly done: (observation: Observation) => void;
  readonly onSend: (() => void) | undefined;
}

/** What stalls may take of a timeout before running into it is no longer the target's fault. */
const STALL_SHARE = 0.1;
const MOST_STALL_MS = 1_000;
/** No target gives up on a connection, nor a resolver on a question, in less. */
const PATIENCE_MS = 200;

/** Methods that may be sent twice. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

export class Run implements ExchangeOwner, Expiring {
  readonly deadlineAt: number;
  earlier: Expiring | null = null;
  later: Expiring | null = null;
  readonly #context: RunContext;
  readonly #prepared: PreparedHttp;
  readonly #on: RunEvents;
  readonly #startedAt: number;
  readonly #stallMark: number;
  readonly #phases: Phases = {};
  readonly #target: Target | Problem;
  #host: string;
  #hop: Hop | null = null;
  #exchange: Exchange | null = null;
  /** When the last response was complete, monotonic ms. */
  #endedAt = 0;
  #redirects = 0;
  #retried = false;
  #stalledMs = 0;
  #isExpired = false;
  #isStarting = false;
  #isSettled = false;
  #isAborted = false;

  constructor(
    context: RunContext,
    prepared: PreparedHttp,
    target: Target | Problem,
    on: RunEvents,
  ) {
    const { clock, watch } = context;
    const now = clock.monotonicMs();
    this.#context = context;
    this.#prepared = prepared;
    this.#target = target;
    this.#host = isProblem(target) ? '' : target.host;
    this.#on = on;
    this.#startedAt = now;
    this.deadlineAt = now + prepared.request.timeoutMs;
    this.#stallMark = watch.enter(now);
    prepared.deadlines.add(this, now);
  }

  start(): void {
    this.#isStarting = true;
    if (isProblem(this.#target)) this.fail(this.#target);
    else this.#goTo(firstHop(this.#target, this.#prepared, this.#context.secrets));
    this.#isStarting = false;
  }

  abort(): void {
    this.#isAborted = true;
    if (this.#isSettled) return;
    this.#end();
    this.#dropExchange();
  }

  fail(problem: Problem): void {
    if (this.#isSettled) return;
    const { clock } = this.#context;
    const now = clock.monotonicMs();
    const { code, detail } = problem;
    const expiresAt = this.#exchange?.certificateExpiresAt;
    this.#exchange?.addPhases(this.#phases, now);
    this.#dropExchange();
    const failure: Failure = {
      kind: 'failure',
      durationMs: now - this.#startedAt,
      phases: this.#phases,
      host: this.#host,
      code,
      detail,
      ...(expiresAt === undefined ? {} : { certificateExpiresAt: expiresAt }),
    };
    this.#settle(failure);
  }

  onProblem(exchange: Exchange, problem: Problem): void {
    if (this.#isSettled) return;
    if (this.#mayRetry(exchange, problem)) return this.#retry(exchange);
    if (canBeOurs(problem.code)) {
      const now = this.#context.clock.monotonicMs();
      const stalledMs = this.#context.watch.stalledSince(this.#stallMark, now);
      if (stalledMs > PATIENCE_MS) return this.fail(blocked(problem, stalledMs));
    }
    const isRefusedRedirect = this.#redirects > 0 && problem.code === 'address_refused';
    this.fail(isRefusedRedirect ? redirectRefused(problem.detail) : problem);
  }

  onSend(): void {
    this.#on.onSend?.();
  }

  onMetClosed(): void {
    this.#retried = true;
    this.#context.onMetClosed();
  }

  onAnswer(exchange: Exchange): void {
    this.#endedAt = this.#context.clock.monotonicMs();
    exchange.addPhases(this.#phases, this.#endedAt);
    this.#letGo(exchange, () => this.#interpret(exchange));
  }

  #interpret(exchange: Exchange): void {
    if (this.#isSettled) return;
    const location = exchange.headers['location'];
    const { followRedirects } = this.#prepared.request;
    if (followRedirects > 0 && typeof location === 'string' && isRedirect(exchange.statusCode)) {
      return this.#follow(exchange.statusCode, location);
    }
    const encoding = exchange.headers['content-encoding'];
    if (encoding === undefined) return this.#answer(exchange, exchange);
    decodeBody(encoding, exchange, this.#context.bodyCapBytes, (decoded) => {
      if ('code' in decoded) this.fail(decoded);
      else this.#answer(exchange, decoded);
    });
  }

  #goTo(hop: Hop | Problem): void {
    if ('code' in hop) return this.fail(hop);
    this.#hop = hop;
    this.#host = hop.target.host;
    this.#send(hop, this.#slots.take(this.#prepared.channel, hop.target.origin));
  }

  #send(hop: Hop, slot: Slot): void {
    const exchange = new Exchange(this.#context, this, slot, {
      target: hop.target,
      channel: this.#prepared.channel,
      method: hop.method,
      headers: ['host', hop.host, ...hop.headers],
      body: hop.body,
      deadlineAt: this.deadlineAt,
      bodyCapBytes: this.#context.bodyCapBytes,
    });
    this.#exchange = exchange;
    exchange.start();
  }

  #follow(statusCode: number, location: string): void {
    const limit = this.#prepared.request.followRedirects;
    this.#redirects += 1;
    if (this.#hop === null || this.#redirects > limit) {
      return this.fail({ code: 'redirect_limit', detail: `more than ${limit} redirects` });
    }
    const redirection = { statusCode, location };
    this.#goTo(nextHop(this.#hop, redirection, this.#prepared, this.#context.connectTo));
  }

  #mayRetry(exchange: Exchange, { code }: Problem): boolean {
    const isGone = code === 'closed' || code === 'reset';
    if (!isGone || !exchange.isReused || exchange.responseBegan) return false;
    return IDEMPOTENT.has(exchange.request.method);
  }

  #retry(exchange: Exchange): void {
    exchange.addPhases(this.#phases, this.#context.clock.monotonicMs());
    this.#slots.drop(exchange.slot);
    this.onMetClosed();
    const { target, channel } = exchange.request;
    if (this.#hop !== null) this.#send(this.#hop, this.#slots.takeNew(channel, target.origin));
  }

  #answer(exchange: Exchange, { body, isCut }: Decoded): void {
    if (this.#isSettled) return;
    const expiresAt = exchange.certificateExpiresAt;
    const answer: Answer = {
      kind: 'answer',
      durationMs: this.#endedAt - this.#startedAt,
      phases: this.#phases,
      host: this.#host,
      statusCode: exchange.statusCode,
      headers: exchange.headers,
      body,
      oversize: isCut,
      ...(expiresAt === undefined ? {} : { certificateExpiresAt: expiresAt }),
      ...(this.#retried ? { retried: true } : {}),
    };
    this.#settle(answer);
  }

  /** After a good end: the slot serves others, unless its connection is in the middle of a body. */
  #letGo(exchange: Exchange, then: () => void): void {
    this.#exchange = null;
    const { slot, headers, isCut } = exchange;
    if (isCut) {
      exchange.cancel();
      this.#slots.drop(slot);
      return then();
    }
    if (slot.route === null) {
      suspendStackTraces();
      // A target that does not announce its close leaves it, and the port for a minute, to us.
      if (headers['connection'] !== 'close' && slot.socket) resetSocket(slot.socket);
    }
    this.#slots.release(slot, then);
  }

  #dropExchange(): void {
    const exchange = this.#exchange;
    if (exchange === null) return;
    this.#exchange = null;
    exchange.cancel();
    this.#slots.drop(exchange.slot);
  }

  get #slots(): Slots {
    const { fresh, reuse } = this.#context.slots;
    return this.#prepared.request.connection === 'reuse' ? reuse : fresh;
  }

  onDeadline(): void {
    this.#isExpired = true;
    const now = this.#context.clock.monotonicMs();
    // Time after the deadline is a gift: being busy with a thousand others that expired is no stall.
    const judgedAt = Math.min(now, this.deadlineAt);
    this.#stalledMs = this.#context.watch.stalledSince(this.#stallMark, judgedAt);
    // After a stall the sockets may hold the answer already: they get a turn before the judgement.
    if (this.#stalledMs === 0) this.#onTimeout();
    else setImmediate(() => this.#onTimeout());
  }

  #onTimeout(): void {
    // Without an exchange the answer is here in time; what is left to do is ours.
    if (this.#isSettled || this.#exchange === null) return;
    const { timeoutMs } = this.#prepared.request;
    const problem = timeoutProblem(this.#exchange.phase, timeoutMs);
    const allowedMs = Math.min(Math.max(STALL_MS, timeoutMs * STALL_SHARE), MOST_STALL_MS);
    this.fail(this.#stalledMs > allowedMs ? blocked(problem, this.#stalledMs) : problem);
  }

  #settle(observation: Observation): void {
    this.#end();
    resumeStackTraces();
    if (!this.#isStarting) return this.#on.done(observation);
    // The caller does not hold the abort yet, and need not expect an answer before it does.
    queueMicrotask(() => {
      if (!this.#isAborted) this.#on.done(observation);
    });
  }

  #end(): void {
    this.#isSettled = true;
    if (!this.#isExpired) this.#prepared.deadlines.remove(this);
    this.#context.watch.leave();
  }
}

/** A failure that our own standing still can have caused is not blamed on the target. */
const blocked = ({ detail }: Problem, stalledMs: number): Problem => ({
  code: 'checker_blocked',
  detail: `the event loop stood still for ${Math.round(stalledMs)} ms: ${detail}`,
});
