import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DueQueue } from '../../../src/worker/due-queue.ts';

const drained = (queue: DueQueue): [slot: number, due: number][] => {
  const order: [number, number][] = [];
  while (queue.size > 0) {
    order.push([queue.first, queue.earliest]);
    queue.remove(queue.first);
  }
  return order;
};

describe('DueQueue', () => {
  it('says that nothing is due when it is empty', () => {
    const queue = new DueQueue();
    expect([queue.first, queue.earliest, queue.size]).toEqual([-1, Number.POSITIVE_INFINITY, 0]);
  });

  it('moves a slot whose due time is set again', () => {
    const queue = new DueQueue();
    queue.set(1, 10);
    queue.set(2, 20);
    queue.set(1, 30);
    expect(drained(queue)).toEqual([
      [2, 20],
      [1, 30],
    ]);
  });

  it('takes a slot out that never comes due', () => {
    const queue = new DueQueue();
    queue.set(1, 10);
    queue.set(1, Number.POSITIVE_INFINITY);
    expect([queue.size, queue.dueOf(1)]).toEqual([0, Number.POSITIVE_INFINITY]);
  });

  it('finds what is due by a time, and nothing else', () => {
    const dues = fc.array(fc.nat(50), { maxLength: 100 });
    fc.assert(
      fc.property(dues, fc.nat(50), (all, time) => {
        const queue = new DueQueue();
        for (const [slot, due] of all.entries()) queue.set(slot, due);
        const expected = [...all.keys()].filter((slot) => (all[slot] as number) <= time);
        expect(queue.dueBy(time).sort((a, b) => a - b)).toEqual(expected);
      }),
    );
  });

  it('agrees with a sorted list over any sequence of sets and removals', () => {
    const step = fc.record({
      slot: fc.nat(200),
      due: fc.option(fc.nat(1_000), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const queue = new DueQueue();
        const model = new Map<number, number>();
        for (const { slot, due } of steps) {
          if (due === undefined) {
            queue.remove(slot);
            model.delete(slot);
          } else {
            queue.set(slot, due);
            model.set(slot, due);
          }
          expect(queue.size).toBe(model.size);
          expect(queue.earliest).toBe(Math.min(...model.values()));
        }
        const order = drained(queue);
        expect(order.map(([, due]) => due)).toEqual([...model.values()].sort((a, b) => a - b));
        expect(new Map(order)).toEqual(model);
      }),
    );
  });
});
