/** A destination that answers as it is told, and the records that a delivery reads back. */

import type { DestinationId, Emission } from '../../src/shared/domain/delivery.ts';
import type { Limiter } from '../../src/shared/runtime/limiter.ts';
import { silentLog } from '../../src/shared/runtime/log.ts';
import { Delivery, type Records } from '../../src/shared/sinks/delivery.ts';
import type { Call, Destination, Item, Outcome } from '../../src/shared/sinks/destination.ts';
import { anEmission, TICK } from './builders.ts';
import type { ManualClock } from './manual-clock.ts';
import { seededRandom } from './seeded-random.ts';

/** Everything at once: what a limiter adds is tested with the limiter. */
export const noLimit: Limiter = { run: (work) => work(), stop: () => {} };

export class ScriptedSink implements Destination<readonly number[]> {
  readonly id = 'scripted' as DestinationId;
  readonly label: string = 'scripted';
  windowMs = 10_000;
  maxAgeMs = 3_600_000;
  concurrency = 2;
  maxItems = 100;
  maxCallBytes = Number.POSITIVE_INFINITY;
  bytesPerItem = 100;
  /** Seqs of each call, in the order in which they were made. */
  readonly sent: (readonly number[])[] = [];
  /** When each call was made, ms of the clock. */
  readonly sentAt: number[] = [];
  readonly accepted: number[] = [];
  answer: (seqs: readonly number[], signal: AbortSignal) => Outcome | Promise<Outcome> = () => ({
    kind: 'delivered',
  });
  closed = 0;
  readonly #clock: ManualClock;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  wants(_emission: Emission): boolean {
    return true;
  }

  encode(items: readonly Item[]): readonly Call<readonly number[]>[] {
    const calls: Call<readonly number[]>[] = [];
    for (let at = 0; at < items.length; at += this.maxItems) {
      const some = items.slice(at, at + this.maxItems);
      const payload = some.map(({ seq }) => seq);
      calls.push({ items: some, bytes: some.length * this.bytesPerItem, payload });
    }
    return calls;
  }

  async send({ payload }: Call<readonly number[]>, signal: AbortSignal): Promise<Outcome> {
    this.sent.push(payload);
    this.sentAt.push(this.#clock.monotonicMs());
    const outcome = await this.answer(payload, signal);
    if (outcome.kind === 'delivered') this.accepted.push(...payload);
    if (outcome.kind === 'partial') {
      const failed = new Set(outcome.failed.map(({ index }) => index));
      this.accepted.push(...payload.filter((_, index) => !failed.has(index)));
    }
    return outcome;
  }

  async verify() {
    return { state: 'untested', message: '' } as const;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closed += 1;
  }
}

/** Records in a map; `done` takes them out, so that whatever is left was forgotten. */
export class KeptRecords implements Records {
  readonly byseq = new Map<number, Emission>();

  item(_destination: Destination, seq: number): Item | null {
    const emission = this.byseq.get(seq);
    return emission ? { seq, emission, body: null } : null;
  }

  done(_destination: Destination, seqs: readonly number[]): void {
    for (const seq of seqs) this.byseq.delete(seq);
  }
}

export const startDelivery = (clock: ManualClock, sink = new ScriptedSink(clock)) => {
  const records = new KeptRecords();
  const delivery = new Delivery({
    clock,
    random: seededRandom(1),
    log: silentLog,
    destination: sink,
    records,
    limiter: noLimit,
    phase: 0,
    redact: (text) => text.replaceAll('hunter2', '[redacted]'),
  });
  let seq = 0;
  const record = (emission: Emission): Item => {
    seq += 1;
    records.byseq.set(seq, emission);
    return { seq, emission, body: null };
  };
  /** A repeat, or a state change, at the present instant. */
  const offer = (count = 1, { changes = false } = {}): void => {
    for (let n = 0; n < count; n++) {
      const at = clock.now();
      const change = { from: 'ok', to: 'critical', at, reason: 'why' } as const;
      delivery.offer(record(anEmission({ tick: at }, changes ? change : null)));
    }
  };
  /** produced = delivered + pending + dropped, and what is not pending has left the records. */
  const accounts = () => {
    const { produced, delivered, pending, dropped } = delivery.view;
    const lost = Object.values(dropped).reduce((sum, count) => sum + count, 0);
    return { produced, delivered, pending, lost, balance: produced - delivered - pending - lost };
  };
  return { clock, sink, records, delivery, record, offer, accounts, start: TICK };
};
