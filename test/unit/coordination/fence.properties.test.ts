/** The fence under clocks that run wrong: whatever they do, it closes before the lease can have ended. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Fence } from '../../../src/shared/coordination/fence.ts';
import type { Clock } from '../../../src/shared/runtime/clock.ts';

const TTL_MS = 6000;
const MARGIN_MS = 1500;
/** Of a monotonic clock. */
const DRIFT = 0.01;

/** A machine and, beside it, the time that the store goes by. */
class Machine implements Clock {
  trueMs = 1000;
  readonly #rate: number;
  #suspendedMs = 0;
  #steppedMs = 0;

  constructor(rate: number) {
    this.#rate = rate;
  }

  now(): number {
    return this.trueMs + this.#steppedMs;
  }

  monotonicMs(): number {
    return (this.trueMs - this.#suspendedMs) * this.#rate;
  }

  pass(ms: number): void {
    this.trueMs += ms;
  }

  suspend(ms: number): void {
    this.trueMs += ms;
    this.#suspendedMs += ms;
  }

  step(ms: number): void {
    this.#steppedMs += ms;
  }

  after(): never {
    throw new Error('a fence sets no timers');
  }

  sleep(): never {
    throw new Error('a fence does not sleep');
  }
}

type Event =
  | { readonly kind: 'pass' | 'suspend' | 'step'; readonly ms: number }
  /** A renewal: on its way there, and on its way back. */
  | { readonly kind: 'renew'; readonly thereMs: number; readonly backMs: number };

const ms = fc.integer({ min: 0, max: 8000 });
const pass = ms.map((ms): Event => ({ kind: 'pass', ms }));
const suspend = ms.map((ms): Event => ({ kind: 'suspend', ms }));
const step = fc
  .integer({ min: -3_600_000, max: 3_600_000 })
  .map((ms): Event => ({ kind: 'step', ms }));
const renew = fc
  .record({ thereMs: fc.integer({ min: 0, max: 3000 }), backMs: fc.integer({ min: 0, max: 3000 }) })
  .map((way): Event => ({ kind: 'renew', ...way }));
const rate = fc.double({ min: 1 - DRIFT, max: 1 + DRIFT, noNaN: true });

/** Lives through the events, and after each says whether the fence is open and how much is left. */
const follow = async (
  machine: Machine,
  events: readonly Event[],
  look: (attached: boolean, leftMs: number) => void,
): Promise<void> => {
  const fence = new Fence(machine, MARGIN_MS);
  let endsAt = 0;
  for (const event of events) {
    if (event.kind === 'renew')
      await fence.extend(async () => {
        const sentAt = machine.monotonicMs();
        machine.pass(event.thereMs);
        endsAt = machine.trueMs + TTL_MS;
        machine.pass(event.backMs);
        return { ttlMs: TTL_MS, sentAt };
      });
    else machine[event.kind](event.ms);
    look(fence.attached, endsAt - machine.trueMs);
  }
};

/** What drift leaves of the margin. */
const LEAST_LEFT_MS = MARGIN_MS - TTL_MS * DRIFT * 2;

const staysSafe = (...kinds: fc.Arbitrary<Event>[]) =>
  fc.assert(
    fc.asyncProperty(rate, fc.array(fc.oneof(pass, renew, ...kinds)), (rate, events) =>
      follow(new Machine(rate), events, (attached, leftMs) => {
        if (attached) expect(leftMs).toBeGreaterThan(LEAST_LEFT_MS);
      }),
    ),
  );

it('closes a margin before the lease can end, though the wall clock is set', () => staysSafe(step));

it('closes a margin before the lease can end, though the machine is suspended', () =>
  staysSafe(suspend));

it('stays open for as long as it may while nothing is wrong', () =>
  fc.assert(
    fc.asyncProperty(rate, fc.integer({ min: 0, max: 4400 }), (rate, ms) => {
      const events: Event[] = [
        { kind: 'renew', thereMs: 0, backMs: 0 },
        { kind: 'pass', ms },
      ];
      return follow(new Machine(rate), events, (attached) => expect(attached).toBe(true));
    }),
  ));
