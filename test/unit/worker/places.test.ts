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
    const steps = fc.array(fc.constantFrom('enter a', 'enter b', 'enter c', 'leave'), {
      maxLength: 300,
    });
    fc.assert(
      fc.property(steps, (sequence) => {
        const traffic = new Traffic();
        for (const step of sequence) {
          if (step === 'leave') traffic.leave();
          else traffic.enter(step.slice(-1));
          traffic.expectLimitsKept();
        }
        while (traffic.flying.length > 0) traffic.leave();
        expect([traffic.waiting, traffic.places.waiting]).toEqual([0, 0]);
      }),
    );
  });
});

/** Runs that come and go, and what the places should say of them. */
class Traffic {
  readonly places = new Places<Run>({ total: 4, perHost: 2 });
  readonly flying: Run[] = [];
  waiting = 0;
  readonly #started = new Set<string>();
  #count = 0;

  enter(host: string): void {
    const each = run(String(this.#count++), host);
    if (this.places.enter(each)) this.#start(each);
    else this.waiting++;
  }

  leave(): void {
    const ended = this.flying.shift();
    const next = ended && this.places.leave(ended);
    if (!next) return;
    this.waiting--;
    this.#start(next);
  }

  expectLimitsKept(): void {
    expect(this.places.inFlight).toBe(this.flying.length);
    expect(this.places.waiting).toBe(this.waiting);
    expect(this.flying.length).toBeLessThanOrEqual(4);
    for (const host of ['a', 'b', 'c']) {
      expect(this.flying.filter((each) => each.host === host).length).toBeLessThanOrEqual(2);
    }
  }

  #start(each: Run): void {
    expect(this.#started.has(each.name)).toBe(false);
    this.#started.add(each.name);
    this.flying.push(each);
  }
}
