/**
 * One call to etcd, with a deadline: store → **calls** → a member's client. It decides what is sent
 * again: what never left this process, and what may be repeated; never a transaction that writes.
 */

import type { CallOptions } from '@grpc/grpc-js';
import { type Etcd3, GRPCDeadlineExceededError, type IResponseHeader } from 'etcd3';
import { WatcherError } from '../../domain/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Epoch } from './epoch.ts';
import { type Fault, faultOf, isMembersFault, needsNewClient, storeError } from './errors.ts';
import type { Members } from './members.ts';

export interface CallPlan {
  /** For the error's message. */
  readonly what: string;
  /** For all tries together. */
  readonly withinMs: number;
  /** Twice is as good as once. */
  readonly repeatable: boolean;
}

interface Answer {
  readonly header: IResponseHeader;
}

export interface Outage {
  /** The last failure's. */
  readonly reason: string;
  /** Of the first failure in a row, monotonic. */
  readonly since: number;
}

/** grpc counts the deadline itself; ours is for the case that it does not tell. */
const SLACK_MS = 50;

export class Calls {
  readonly #members: Members;
  readonly #clock: Clock;
  readonly #epoch: Epoch;
  readonly #closed: AbortSignal;
  #outage: Outage | null = null;

  constructor(options: {
    readonly members: Members;
    readonly clock: Clock;
    readonly epoch: Epoch;
    readonly closed: AbortSignal;
  }) {
    this.#members = options.members;
    this.#clock = options.clock;
    this.#epoch = options.epoch;
    this.#closed = options.closed;
  }

  /** Null while the last call that has ended was answered. */
  get outage(): Outage | null {
    return this.#outage;
  }

  /**
   * Throws WCH_STORE_UNAVAILABLE when the outcome is unknown, and the codes of errors.ts for answers. A
   * call that fails at once is tried with the next member while time is left; one that takes all its
   * time is not, but the next call goes elsewhere.
   */
  async ask<T extends Answer>(
    plan: CallPlan,
    call: (client: Etcd3, options: CallOptions) => Promise<T>,
  ): Promise<T> {
    try {
      const answer = await this.#tries(plan, call);
      this.#outage = null;
      return answer;
    } catch (error) {
      const isAnswer = !(error instanceof WatcherError) || error.code !== 'WCH_STORE_UNAVAILABLE';
      this.#outage = isAnswer ? null : this.#outageAfter(error);
      throw error;
    }
  }

  async #tries<T extends Answer>(
    plan: CallPlan,
    call: (client: Etcd3, options: CallOptions) => Promise<T>,
  ): Promise<T> {
    const deadline = this.#clock.monotonicMs() + plan.withinMs;
    for (let tries = 1; ; tries += 1) {
      const leftMs = deadline - this.#clock.monotonicMs();
      const member = this.#members.current;
      try {
        const answer = await this.#within(leftMs, () =>
          call(member.client, { deadline: this.#clock.now() + leftMs }),
        );
        this.#epoch.requireSameCluster(answer.header);
        return answer;
      } catch (error) {
        if (error instanceof WatcherError) throw error;
        const fault = faultOf(error);
        if (isMembersFault(fault)) this.#members.failed(member, needsNewClient(fault));
        const isLast = tries >= Math.max(2, this.#members.size);
        const isLate = this.#clock.monotonicMs() >= deadline;
        if (isLast || isLate || !mayBeSentAgain(fault, plan))
          throw storeError(fault, `${plan.what} at ${member.endpoint}`, error);
      }
    }
  }

  #outageAfter({ message }: WatcherError): Outage {
    return { reason: message, since: this.#outage?.since ?? this.#clock.monotonicMs() };
  }

  #within<T>(ms: number, start: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const close = () => reject(closedError());
      const timer = this.#clock.after(ms + SLACK_MS, () =>
        reject(new GRPCDeadlineExceededError('4 DEADLINE_EXCEEDED')),
      );
      this.#closed.addEventListener('abort', close, { once: true });
      start()
        .then(resolve, reject)
        .finally(() => {
          timer.cancel();
          this.#closed.removeEventListener('abort', close);
        });
    });
  }
}

const mayBeSentAgain = (fault: Fault, { repeatable }: CallPlan): boolean =>
  fault === 'never_sent' || (repeatable && isMembersFault(fault));

export const closedError = (): WatcherError =>
  new WatcherError('WCH_STORE_UNAVAILABLE', 'the etcd store is closed');
