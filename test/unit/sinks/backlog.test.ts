import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Backlog, type Waiting } from '../../../src/shared/sinks/backlog.ts';

const waiting = (...seqs: number[]): Waiting[] => seqs.map((seq) => ({ seq, at: seq * 10 }));
const seqs = (items: readonly Waiting[]): number[] => items.map(({ seq }) => seq);

it('gives the oldest first, whatever comes back in between', () => {
  const backlog = new Backlog();
  backlog.add(waiting(3, 4, 5));
  const taken = backlog.take(2);
  expect(backlog.through(5)).toEqual([5]);
  backlog.add(waiting(6));
  backlog.add([...taken].reverse());
  expect(seqs(backlog.take(10))).toEqual([3, 4, 5, 6]);
  expect(backlog.oldest).toBeNull();
});

it('takes what is older than an instant, and what is up to a seq', () => {
  const backlog = new Backlog();
  backlog.add(waiting(1, 2, 3, 4, 5));
  expect(seqs(backlog.takeOlder(30))).toEqual([1, 2]);
  expect(seqs(backlog.takeThrough(4))).toEqual([3, 4]);
  expect(backlog.oldest).toEqual({ seq: 5, at: 50 });
});

it('gives those that were written anew their new places', () => {
  const backlog = new Backlog();
  backlog.add(waiting(1, 2, 3, 4));
  backlog.move(
    new Map([
      [1, 9],
      [3, 8],
    ]),
  );
  expect(backlog.take(10)).toEqual([
    { seq: 2, at: 20 },
    { seq: 4, at: 40 },
    { seq: 8, at: 30 },
    { seq: 9, at: 10 },
  ]);
});

it('is the sorted list that it stands for, under any sequence of operations', () => {
  const add = fc.record({ add: fc.uniqueArray(fc.nat(200), { maxLength: 40 }) });
  const take = fc.record({ take: fc.nat(30) });
  fc.assert(
    fc.property(fc.array(fc.oneof(add, take), { maxLength: 40 }), (operations) => {
      const backlog = new Backlog();
      let model: number[] = [];
      for (const operation of operations) {
        if ('add' in operation) {
          const fresh = operation.add.filter((seq) => !model.includes(seq));
          backlog.add(waiting(...fresh));
          model = [...model, ...fresh].sort((a, b) => a - b);
        } else {
          expect(seqs(backlog.take(operation.take))).toEqual(model.splice(0, operation.take));
        }
        expect(backlog.length).toBe(model.length);
        expect(backlog.oldest?.seq).toBe(model[0]);
      }
    }),
  );
});
