/**
 * One request and its response on one slot: run -> **exchange** -> run. undici calls the handler
 * methods; what comes of it is told once, as an answer or as a problem.
 */

import type { buildConnector, Dispatcher } from 'undici';
import type { Answer, Phases } from '../../shared/domain/result.ts';
import type { Channel } from './channel.ts';
import { Dial, type DialContext, ownServiceProblem } from './dial.ts';
import { exchangeProblem, type Phase, type Progress } from './failures.ts';
import type { Problem } from './problem.ts';
import type { Slot, SlotHolder } from './slot.ts';
import { resetSocket } from './sockets.ts';
import { hasSurplus, hasSurplusAfterHead } from './surplus.ts';
import type { Target } from './target.ts';

/** Interim responses (103 Early Hints and the like) before the answer itself. */
const MOST_INTERIM = 10;

export type ResponseHeaders = Answer['headers'];

export interface ExchangeRequest {
  readonly target: Target;
  readonly channel: Channel;
  readonly method: string;
  /** Names and values in turn. */
  readonly headers: string[];
  readonly body: string | null;
  /** Monotonic ms at which the whole run ends. */
  readonly deadlineAt: number;
  readonly bodyCapBytes: number;
}

export interface ExchangeOwner {
  onAnswer(exchange: Exchange): void;
  onProblem(exchange: Exchange, problem: Problem): void;
  /** A kept connection turned out closed by the target before the request went out on it. */
  onMetClosed(): void;
  /** The request leaves now; cancelled in this call, it does not. */
  onSend(): void;
}

export class Exchange implements Dispatcher.DispatchHandler, SlotHolder {
  readonly request: ExchangeRequest;
  readonly slot: Slot;
  statusCode = 0;
  headers: ResponseHeaders = NO_HEADERS;
  /** The body as it came, with its content encodings, at most the cap. */
  body: Buffer = EMPTY;
  isCut = false;
  /** The request went out on a connection that had served others. */
  isReused: boolean;
  readonly #context: DialContext;
  readonly #owner: ExchangeOwner;
  #dial: Dial | null = null;
  #sentAt = 0;
  #firstByteAt = 0;
  #interim = 0;
  #pieces: Buffer[] = [];
  #length = 0;
  #done = false;

  constructor(context: DialContext, owner: ExchangeOwner, slot: Slot, request: ExchangeRequest) {
    this.#context = context;
    this.#owner = owner;
    this.slot = slot;
    this.isReused = slot.socket !== null;
    this.request = request;
  }

  start(): void {
    const { target, method, headers, body } = this.request;
    this.slot.holder = this;
    if (this.isReused) {
      const own = ownServiceProblem(this.#context, this.slot.address, target);
      if (own !== null) return this.#fail(own);
    }
    this.slot.client.dispatch({ path: target.path, method, headers, body }, this);
  }

  /** Stops without telling the owner. */
  cancel(): void {
    this.#done = true;
    this.#dial?.cancel();
    if (this.slot.socket !== null) resetSocket(this.slot.socket);
  }

  get phase(): Phase {
    if (this.#firstByteAt !== 0) return 'body';
    return this.#sentAt !== 0 || this.#dial === null ? 'first_byte' : this.#dial.phase;
  }

  get responseBegan(): boolean {
    return this.#firstByteAt !== 0;
  }

  get certificateExpiresAt(): number | undefined {
    return this.slot.certificateExpiresAt;
  }

  /** What this exchange spent in each phase, added to what earlier ones did. */
  addPhases(phases: Phases, now: number): void {
    this.#dial?.addPhases(phases, now);
    if (this.#sentAt === 0) return;
    const firstByteAt = this.#firstByteAt === 0 ? now : this.#firstByteAt;
    phases.first_byte = (phases.first_byte ?? 0) + firstByteAt - this.#sentAt;
    if (this.#firstByteAt !== 0) phases.body = (phases.body ?? 0) + now - firstByteAt;
  }

  /** undici needs a connection: there is none yet, or the kept one has gone. */
  open(callback: buildConnector.Callback): void {
    if (this.#done) return;
    if (this.slot.metClosed) this.#owner.onMetClosed();
    this.isReused = false;
    const { target, channel, deadlineAt } = this.request;
    const dial = new Dial(this.#context, {
      target,
      channel,
      deadlineAt,
      onOpen: (socket) => this.slot.attach(socket, dial, callback),
      onProblem: (problem) => {
        this.slot.certificateExpiresAt = dial.certificateExpiresAt;
        this.#fail(problem);
      },
    });
    this.#dial = dial;
    dial.start();
  }

  onRequestStart(): void {
    this.#owner.onSend();
    this.#sentAt = this.#context.clock.monotonicMs();
  }

  onResponseStarted(): void {
    if (this.#firstByteAt === 0) this.#firstByteAt = this.#context.clock.monotonicMs();
  }

  onResponseStart(_: unknown, statusCode: number, headers: ResponseHeaders): void {
    if (this.#done) return;
    if (statusCode < 200) {
      this.#interim += 1;
      if (this.#interim > MOST_INTERIM) this.#fail(TOO_MANY_INTERIM);
      return;
    }
    this.statusCode = statusCode;
    this.headers = headers;
  }

  onResponseData(_: unknown, piece: Buffer): void {
    if (this.#done) return;
    const room = this.request.bodyCapBytes - this.#length;
    this.#pieces.push(piece.length > room ? piece.subarray(0, room) : piece);
    this.#length += piece.length;
    if (piece.length <= room) return;
    this.isCut = true;
    this.#finish();
  }

  onResponseEnd(): void {
    if (this.#done) return;
    const problem = this.#afterthought();
    if (problem !== null) return this.#fail(problem);
    this.#finish();
  }

  onResponseError(_: unknown, error: Error): void {
    if (this.#done) return;
    this.#fail(exchangeProblem(this.#dial?.lateError ?? error, this.#progress));
  }

  get #progress(): Progress {
    if (this.statusCode !== 0) return 'body';
    return this.responseBegan ? 'head' : 'nothing';
  }

  /** What undici takes for a good end, and is none. */
  #afterthought(): Problem | null {
    const { slot, headers } = this;
    const isChunked = headers['transfer-encoding'] !== undefined;
    const length = headers['content-length'];
    if (!isChunked && length === undefined) {
      // Only the close ends such a body, and a reset is no such close.
      return slot.socket?.errored ? CUT_BY_RESET : null;
    }
    const last = this.#pieces.at(-1);
    if (last !== undefined) return hasSurplus(slot.lastRead, last, isChunked) ? SURPLUS : null;
    return length === '0' && this.#interim === 0 && hasSurplusAfterHead(slot.lastRead)
      ? SURPLUS
      : null;
  }

  #finish(): void {
    this.#done = true;
    const [first = EMPTY] = this.#pieces;
    this.body = this.#pieces.length > 1 ? Buffer.concat(this.#pieces) : first;
    this.#owner.onAnswer(this);
  }

  #fail(problem: Problem): void {
    if (this.#done) return;
    this.cancel();
    this.#owner.onProblem(this, problem);
  }
}

const EMPTY: Buffer = Buffer.alloc(0);
const NO_HEADERS: ResponseHeaders = {};

const SURPLUS: Problem = { code: 'protocol', detail: 'the target sends more than it announced' };
const CUT_BY_RESET: Problem = { code: 'reset', detail: 'connection reset in the body' };
const TOO_MANY_INTERIM: Problem = {
  code: 'protocol',
  detail: `more than ${MOST_INTERIM} interim responses`,
};
