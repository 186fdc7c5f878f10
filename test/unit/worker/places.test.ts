import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Placed, Places } from '../../../src/worker/places.ts';

interface Run extends Placed {
  readonly name: string;
}
const run = (name: string, host = 'a'): Run => ({ name, host });

describe('Places', () => {
  it('lets runs wait in order once all places are taken', () => {
    const places = new Places<Run>({ total: 1, perHost: 1 });
    const [first, second, third] = [run('1', 'a'), run('2', 'b'), run('3', 'c')];
    expect([first, second, third].map((each) => places.enter(each))).toEqual([true, false, false]);
    expect(places.leave(first)).toBe(second);
    expect(places.leave(second)).toBe(third);
    expect([places.inFlight, places.waiting]).toEqual([1, 0]);
  });

  it('lets a full host hold back its own runs only', () => {
    const places = new Places<Run>({ total: 3, perHost: 1 });
    expect(places.enter(run('1', 'slow'))).toBe(true);
    expect(places.enter(run('2', 'slow'))).toBe(false);
    expect(places.enter(run('3', 'other'))).toBe(true);
  });

  it('passes over a queued run whose host is full and starts the next', () => {
    const places = new Places<Run>({ total: 2, perHost: 1 });
    const [slow, quick] = [run('1', 'slow'), run('2', 'quick')];
    const [behind, other] = [run('3', 'slow'), run('4', 'other')];
    places.enter(slow);
    places.enter(quick);
    places.enter(behind);
    places.enter(other);
    expect(places.leave(quick)).toBe(other);
    expect(places.leave(slow)).toBe(behind);
  });

  it('forgets a waiting run that is withdrawn', () => {
    const places = new Places<Run>({ total: 1, perHost: 1 });
    const [first, second] = [run('1'), run('2', 'b')];
    places.enter(first);
    places.enter(second);
    places.withdraw(second);
    expect(places.waiting).toBe(0);
    expect(places.leave(first)).toBeUndefined();
  });

  it('keeps both limits, starts every run once and leaves nobody waiting beside a free place', () => {
    const operations = fc.array(
      fc.record({ host: fc.constantFrom('a', 'b', 'c'), leave: fc.boolean() }),
      { maxLength: 300 },
    );
    fc.assert(
      fc.property(operations, (steps) => {
        const places = new Places<Run>({ total: 4, perHost: 2 });
        const flying: Run[] = [];
        const started = new Set<string>();
        const start = (each: Run) => {
          expect(started.has(each.name)).toBe(false);
          started.add(each.name);
          flying.push(each);
        };
        let waiting = 0;
        for (const [index, { host, leave }] of steps.entries()) {
          if (leave) {
            const ended = flying.shift();
            const next = ended && places.leave(ended);
            if (next) {
              waiting--;
              start(next);
            }
          } else if (places.enter(run(String(index), host))) start(run(String(index), host));
          else waiting++;
          expect(places.inFlight).toBe(flying.length);
          expect(places.waiting).toBe(waiting);
          expect(flying.length).toBeLessThanOrEqual(4);
          for (const name of ['a', 'b', 'c']) {
            expect(flying.filter((each) => each.host === name).length).toBeLessThanOrEqual(2);
          }
        }
        while (flying.length > 0) {
          const next = places.leave(flying.shift() as Run);
          if (next) {
            waiting--;
            start(next);
          }
        }
        expect([waiting, places.waiting]).toEqual([0, 0]);
      }),
    );
  });
});
