/**
 * Watcher's own health on its way out: self report → **self posts** → router. To the pool-wide sinks
 * every minute, to each `self` block when its schedule says. Whoever hears nothing for two minutes
 * knows that something is wrong.
 */

import type { CheckId, SelfDefinition } from '../domain/check.ts';
import type { SelfEmission } from '../domain/delivery.ts';
import type { SelfSource } from '../domain/status.ts';
import { type Cron, cronOf, offsetOf } from '../rules/schedule.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Meter } from '../runtime/meter.ts';
import { SelfSamples } from '../runtime/self-samples.ts';
import type { Router } from './router.ts';

const EVERY_MS = 60_000;
/** A yearly schedule is more than a timer can hold, and the wall clock may be stepped. */
const LONGEST_SLEEP_MS = 60_000;

export interface SelfPostsOptions {
  readonly clock: Clock;
  readonly meter: Meter;
  readonly self: SelfSource;
  readonly router: Pick<Router, 'report' | 'post'>;
  readonly host: string;
  /** This process: several on one host do not post at the same second. */
  readonly worker: string;
}

export class SelfPosts implements Disposable {
  readonly #options: SelfPostsOptions;
  readonly #minutely: SelfPost;
  #blocks: readonly SelfPost[] = [];
  #followed = '';

  constructor(options: SelfPostsOptions) {
    this.#options = options;
    const { clock, router } = options;
    this.#minutely = new SelfPost(options, {
      after: () => clock.now() + EVERY_MS,
      send: (emission) => router.report(emission),
    });
  }

  /** The `self` blocks as they are now; those that stand keep their next post. */
  follow(selves: readonly SelfDefinition[]): void {
    const text = JSON.stringify(selves);
    if (text === this.#followed) return;
    this.#followed = text;
    for (const block of this.#blocks) block[Symbol.dispose]();
    this.#blocks = selves.map((self) => this.#block(self));
  }

  [Symbol.dispose](): void {
    this.#minutely[Symbol.dispose]();
    this.follow([]);
  }

  #block({ schedule, posts }: SelfDefinition): SelfPost {
    const { router, worker } = this.#options;
    const id = `${worker}:${JSON.stringify(posts)}` as CheckId;
    const cron: Cron = cronOf(schedule, id);
    const offset = offsetOf(schedule, id);
    return new SelfPost(this.#options, {
      after: (now) => cron.after(now - offset) + offset,
      send: (emission) => router.post(emission, posts),
    });
  }
}

interface Plan {
  /** The next instant after this one. */
  readonly after: (now: number) => number;
  readonly send: (emission: SelfEmission) => void;
}

class SelfPost implements Disposable {
  readonly #options: SelfPostsOptions;
  readonly #plan: Plan;
  readonly #samples: SelfSamples;
  #timer: Timer;

  constructor(options: SelfPostsOptions, plan: Plan) {
    this.#options = options;
    this.#plan = plan;
    this.#samples = new SelfSamples(options.meter);
    this.#timer = this.#next();
  }

  [Symbol.dispose](): void {
    this.#timer.cancel();
  }

  #next(): Timer {
    return this.#wait(this.#plan.after(this.#options.clock.now()));
  }

  #wait(at: number): Timer {
    const { clock } = this.#options;
    return clock.after(Math.min(at - clock.now(), LONGEST_SLEEP_MS), () => {
      if (clock.now() < at) {
        this.#timer = this.#wait(at);
        return;
      }
      this.#timer = this.#next();
      this.#send(at);
    });
  }

  #send(at: number): void {
    const { self, host } = this.#options;
    const { status, findings } = self.self();
    this.#plan.send({
      kind: 'self',
      at,
      host,
      status,
      findings: findings.map(({ message }) => message),
      samples: this.#samples.take(),
    });
  }
}
