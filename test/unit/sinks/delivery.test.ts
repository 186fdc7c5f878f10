import { describe, expect, it } from 'vitest';
import type { Outcome } from '../../../src/shared/sinks/destination.ts';
import { anEmission, TICK } from '../../support/builders.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { ScriptedSink, startDelivery } from '../../support/scripted-sink.ts';

const DOWN: Outcome = { kind: 'retry', reason: '503' };

/** The clock starts at the beginning of a window. */
const begin = (set: (sink: ScriptedSink) => void = () => {}) => {
  const clock = new ManualClock(TICK);
  const sink = new ScriptedSink(clock);
  set(sink);
  return startDelivery(clock, sink);
};

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, n) => from + n);

describe('what is live', () => {
  it('is gathered until the window ends, and leaves in one call', async () => {
    const { clock, sink, offer, accounts } = begin();
    offer();
    await clock.advance(9_000);
    offer(2);
    expect(sink.sent).toEqual([]);
    await clock.advance(1_000);
    expect(sink.sent).toEqual([[1, 2, 3]]);
    expect(accounts()).toMatchObject({ delivered: 3, pending: 0, balance: 0 });
  });

  it('has windows that end at the same phase, so that a minute holds six of ten seconds', async () => {
    const { clock, sink, offer } = begin();
    for (let second = 0; second < 60; second++) {
      offer();
      await clock.advance(1_000);
    }
    expect(sink.sentAt).toEqual([10_000, 20_000, 30_000, 40_000, 50_000, 60_000]);
  });

  it('leaves at once when a call is full of items', async () => {
    const { clock, sink, offer } = begin((set) => {
      set.maxItems = 3;
    });
    offer(3);
    await clock.advance(0);
    expect(sink.sent).toEqual([[1, 2, 3]]);
  });

  it('leaves at once when a call is full of bytes, once it is known what an item takes', async () => {
    const { clock, sink, offer } = begin((set) => {
      set.maxCallBytes = 500;
    });
    offer(2);
    await clock.advance(10_000);
    offer(5);
    await clock.advance(0);
    expect(sink.sent).toEqual([
      [1, 2],
      [3, 4, 5, 6, 7],
    ]);
  });

  it('goes after state changes, in the same call', async () => {
    const { clock, sink, offer } = begin();
    offer(2);
    offer(1, { changes: true });
    await clock.advance(10_000);
    expect(sink.sent).toEqual([[3, 1, 2]]);
  });
});

describe('a sink that is down', () => {
  it('gets everything later, and loses nothing on the way', async () => {
    const { clock, sink, offer, accounts, records } = begin();
    sink.answer = () => DOWN;
    for (let minute = 0; minute < 30; minute++) {
      offer(10);
      await clock.advance(60_000);
    }
    expect(accounts()).toEqual({ produced: 300, delivered: 0, pending: 300, lost: 0, balance: 0 });
    sink.answer = () => ({ kind: 'delivered' });
    await clock.advance(300_000);
    expect([...sink.accepted].sort((a, b) => a - b)).toEqual(range(1, 300));
    expect(accounts()).toMatchObject({ delivered: 300, pending: 0, balance: 0 });
    expect(records.byseq.size).toBe(0);
  });

  it('is called by one call at a time until one succeeds, every few seconds', async () => {
    const { clock, sink, offer } = begin((set) => {
      set.maxItems = 1;
      set.concurrency = 8;
    });
    let most = 0;
    let open = 0;
    sink.answer = async () => {
      most = Math.max(most, ++open);
      await clock.sleep(10);
      open -= 1;
      return DOWN;
    };
    offer(1);
    await clock.advance(600_000);
    const calls = sink.sent.length;
    offer(50);
    await clock.advance(600_000);
    expect(most).toBe(1);
    expect(sink.sent.length - calls).toBeLessThan(240);
    expect(sink.sent.length - calls).toBeGreaterThan(60);
  });

  it('shows the present at once when it is back, and the past oldest first', async () => {
    const { clock, sink, offer } = begin();
    sink.answer = () => DOWN;
    for (let minute = 0; minute < 40; minute++) {
      offer(60);
      await clock.advance(60_000);
    }
    sink.answer = () => ({ kind: 'delivered' });
    // Whatever the back-off is, the sink is asked again within a minute.
    await clock.advance(61_000);
    sink.accepted.length = 0;
    const backlogFrom = sink.sent.length;
    offer(5);
    const live = range(2401, 2405);
    await clock.advance(10_000);
    expect(sink.accepted).toEqual(expect.arrayContaining(live));
    const past = sink.sent
      .slice(backlogFrom)
      .flat()
      .filter((seq) => seq < 2401);
    expect(past).toEqual([...past].sort((a, b) => a - b));
  });

  it('gets a backlog of an hour within ten minutes, at most ten times as fast as it is made', async () => {
    const { clock, sink, offer } = begin((set) => {
      set.maxAgeMs = 24 * 3_600_000;
      set.maxItems = 1_000;
    });
    sink.answer = () => DOWN;
    for (let second = 0; second < 3_600; second++) {
      offer(10);
      await clock.advance(1_000);
    }
    sink.answer = () => ({ kind: 'delivered' });
    const perSecond: number[] = [];
    for (let second = 0; second < 660; second++) {
      const before = sink.accepted.length;
      offer(10);
      await clock.advance(1_000);
      perSecond.push(sink.accepted.length - before);
    }
    expect(sink.accepted).toHaveLength(42_600 - 10 * 0);
    for (let from = 60; from + 60 <= 660; from += 60) {
      const minute = perSecond.slice(from, from + 60).reduce((sum, count) => sum + count, 0);
      expect(minute).toBeLessThanOrEqual(10 * 600 + 1_000);
    }
  });

  it('is not called before the time that it asks for', async () => {
    const { clock, sink, offer } = begin();
    sink.answer = () => ({ kind: 'retry', reason: '429', afterMs: 120_000 });
    offer();
    await clock.advance(10_000);
    sink.answer = () => ({ kind: 'delivered' });
    await clock.advance(119_999);
    expect(sink.sent).toHaveLength(1);
    await clock.advance(1);
    expect(sink.sent).toHaveLength(2);
  });

  it('is told apart in the view, with its reason and the age of the oldest that waits', async () => {
    const { clock, sink, offer, delivery } = begin();
    sink.answer = () => DOWN;
    offer();
    await clock.advance(70_000);
    expect(delivery.view).toMatchObject({ failing: '503', pending: 1, lagMs: 70_000 });
    sink.answer = () => ({ kind: 'delivered' });
    await clock.advance(60_000);
    expect(delivery.view).toMatchObject({ failing: null, pending: 0, lagMs: 0 });
  });

  it('is quoted without the secret that it echoes', async () => {
    const { clock, sink, offer, delivery } = begin();
    sink.answer = () => ({ kind: 'denied', reason: 'HTTP 401: key hunter2 is unknown' });
    offer();
    await clock.advance(10_000);
    expect(delivery.view.failing).toBe('HTTP 401: key [redacted] is unknown');
  });

  it('never gets what is older than it accepts: that is dropped and counted', async () => {
    const { clock, sink, offer, delivery, accounts } = begin((set) => {
      set.maxAgeMs = 600_000;
    });
    sink.answer = () => DOWN;
    offer(3);
    await clock.advance(500_000);
    offer(2);
    await clock.advance(200_000);
    sink.answer = () => ({ kind: 'delivered' });
    await clock.advance(120_000);
    expect(sink.accepted).toEqual([4, 5]);
    expect(delivery.view.dropped.window).toBe(3);
    expect(accounts().balance).toBe(0);
  });
});

describe('a sink that needs a person', () => {
  it('is asked again between every two and a half and five minutes, and everything waits', async () => {
    const { clock, sink, offer, accounts } = begin();
    sink.answer = () => ({ kind: 'denied', reason: '403' });
    offer(4);
    await clock.advance(3_600_000 - 60_000);
    expect(sink.sent.length).toBeLessThan(40);
    expect(accounts()).toMatchObject({ pending: 4, lost: 0, balance: 0 });
    const gaps = sink.sentAt.slice(1).map((at, n) => at - (sink.sentAt[n] ?? 0));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(300_000);
    expect(Math.min(...gaps.slice(-3))).toBeGreaterThanOrEqual(150_000);
  });
});

describe('a call that is refused as a whole', () => {
  it('is cut in halves until one bad item is alone, which is dropped; all others arrive', async () => {
    const { clock, sink, offer, delivery, accounts } = begin();
    sink.answer = (seqs) =>
      seqs.includes(37) ? { kind: 'split', reason: '400', drop: 'refused' } : { kind: 'delivered' };
    offer(64);
    await clock.advance(10_000);
    expect([...sink.accepted].sort((a, b) => a - b)).toEqual(range(1, 64).filter((n) => n !== 37));
    expect(delivery.view.dropped.refused).toBe(1);
    expect(sink.sent).toHaveLength(13);
    expect(accounts()).toMatchObject({ pending: 0, balance: 0 });
  });

  it('stays whole and waits where everything is refused, after as many calls as that takes to see', async () => {
    const { clock, sink, offer, delivery, accounts } = begin((set) => {
      set.maxItems = 10_000;
    });
    sink.answer = () => ({ kind: 'split', reason: '400', drop: 'refused' });
    offer(5_000);
    await clock.advance(10_000);
    const { dropped, failing } = delivery.view;
    expect(failing).toBe('400');
    expect(sink.sent.length).toBeLessThan(140);
    expect(dropped.refused).toBeLessThan(70);
    expect(accounts().balance).toBe(0);
  });
});

describe('a call of which a part is refused', () => {
  it('sends only that part again, and drops what will never be accepted', async () => {
    const { clock, sink, offer, delivery, accounts } = begin();
    let calls = 0;
    sink.answer = () => {
      calls += 1;
      if (calls > 1) return { kind: 'delivered' };
      const failed = [
        { index: 1, retry: true, reason: 'ThrottlingException' },
        { index: 2, retry: false, reason: 'MalformedDetail' },
      ];
      return { kind: 'partial', failed };
    };
    offer(4);
    await clock.advance(20_000);
    expect(sink.sent).toEqual([[1, 2, 3, 4], [2]]);
    expect(delivery.view).toMatchObject({ delivered: 3, retried: 1 });
    expect(delivery.view.dropped.refused).toBe(1);
    expect(accounts().balance).toBe(0);
  });
});

describe('an item', () => {
  it('that fits into no call is dropped for its size', async () => {
    const { clock, sink, offer, delivery, accounts } = begin();
    const encode = sink.encode.bind(sink);
    sink.encode = (items) => encode(items.filter(({ seq }) => seq !== 2));
    offer(3);
    await clock.advance(10_000);
    expect(sink.accepted).toEqual([1, 3]);
    expect(delivery.view.dropped.size).toBe(1);
    expect(accounts().balance).toBe(0);
  });

  it('that cannot be encoded costs no other, and is named', async () => {
    const { clock, sink, offer, delivery, accounts } = begin();
    const encode = sink.encode.bind(sink);
    sink.encode = (items) => {
      if (items.some(({ seq }) => seq === 5)) throw new Error('defect');
      return encode(items);
    };
    offer(9);
    await clock.advance(10_000);
    expect([...sink.accepted].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 6, 7, 8, 9]);
    expect(delivery.view.dropped.refused).toBe(1);
    expect(accounts()).toMatchObject({ pending: 0, balance: 0 });
  });

  it('waits where sending it fails by a defect of ours', async () => {
    const { clock, sink, offer, delivery, accounts } = begin();
    sink.answer = () => Promise.reject(new Error('defect'));
    offer();
    await clock.advance(10_000);
    expect(delivery.view.failing).toContain('defect');
    sink.answer = () => ({ kind: 'delivered' });
    await clock.advance(60_000);
    expect(accounts()).toMatchObject({ delivered: 1, pending: 0, balance: 0 });
  });

  it('whose record comes back damaged is dropped, and costs no other', async () => {
    const { clock, sink, offer, records, delivery, accounts } = begin();
    sink.answer = () => DOWN;
    offer(3);
    await clock.advance(10_000);
    records.byseq.delete(2);
    sink.answer = () => ({ kind: 'delivered' });
    await clock.advance(60_000);
    expect(sink.accepted).toEqual([1, 3]);
    expect(delivery.view.dropped.unreadable).toBe(1);
    expect(accounts().balance).toBe(0);
  });
});

describe('a journal that is full', () => {
  it('takes the oldest repeats, and hears which state changes are still needed', async () => {
    const { clock, sink, offer, delivery, records, accounts } = begin();
    sink.answer = () => DOWN;
    offer(3);
    offer(1, { changes: true });
    offer(2);
    await clock.advance(10_000);
    offer(1);
    expect(delivery.evict(5)).toEqual([4]);
    expect(delivery.view.dropped.overflow).toBe(4);
    records.byseq.set(8, records.byseq.get(4) ?? anEmission());
    records.byseq.delete(4);
    delivery.moved(new Map([[4, 8]]));
    sink.answer = () => ({ kind: 'delivered' });
    await clock.advance(120_000);
    expect([...sink.accepted].sort((a, b) => a - b)).toEqual([6, 7, 8]);
    expect(accounts().balance).toBe(0);
  });
});

describe('a state change that is under way while its record is written anew', () => {
  it.each([
    ['delivered', { kind: 'delivered' }, []],
    ['to be sent again', DOWN, [9]],
  ] as const)('is known under its new seq when it turns out %s', async (_, outcome, left) => {
    const { clock, sink, offer, delivery, records, accounts } = begin();
    let answer: (outcome: Outcome) => void = () => {};
    sink.answer = () => new Promise((resolve) => (answer = resolve));
    offer(1, { changes: true });
    await clock.advance(10_000);
    expect(delivery.evict(1)).toEqual([1]);
    records.byseq.set(9, records.byseq.get(1) ?? anEmission());
    records.byseq.delete(1);
    delivery.moved(new Map([[1, 9]]));
    answer(outcome);
    await clock.advance(0);
    expect([...records.byseq.keys()]).toEqual(left);
    sink.answer = () => ({ kind: 'delivered' });
    await clock.advance(60_000);
    expect([...records.byseq.keys()]).toEqual([]);
    expect(accounts()).toMatchObject({ delivered: 1, pending: 0, balance: 0 });
  });
});

describe('what a former process left', () => {
  it('is sent with what is made now, and counted as produced', async () => {
    const { clock, sink, delivery, records, accounts } = begin();
    for (const seq of [101, 102, 103]) records.byseq.set(seq, anEmission({ tick: clock.now() }));
    delivery.recover([
      { seq: 101, at: clock.now(), urgent: false },
      { seq: 102, at: clock.now(), urgent: true },
      { seq: 103, at: clock.now(), urgent: false },
    ]);
    await clock.advance(60_000);
    expect(sink.sent.flat()).toEqual([102, 101, 103]);
    expect(accounts()).toMatchObject({ produced: 3, delivered: 3, balance: 0 });
  });
});

describe('the end of a process', () => {
  it('sends what was gathered, without waiting for the window', async () => {
    const { clock, sink, offer, delivery } = begin();
    offer(3);
    await clock.until(delivery.finish(new AbortController().signal, { backlogToo: true }));
    expect(sink.accepted).toEqual([1, 2, 3]);
    expect(sink.closed).toBe(1);
  });

  it('does not wait for a sink that is down', async () => {
    const { clock, sink, offer, delivery, accounts } = begin();
    sink.answer = () => DOWN;
    offer(3);
    await clock.until(delivery.finish(new AbortController().signal, { backlogToo: true }), 100);
    expect(accounts()).toMatchObject({ pending: 3, balance: 0 });
    delivery.giveUp('shutdown');
    expect(delivery.view.dropped.shutdown).toBe(3);
    expect(accounts()).toMatchObject({ pending: 0, balance: 0 });
  });

  it('breaks off a call that hangs when its time is over', async () => {
    const { clock, sink, offer, delivery, accounts } = begin();
    sink.answer = (_, signal) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve({ kind: 'retry', reason: 'aborted' }));
      });
    offer(2);
    const deadline = new AbortController();
    clock.after(10_000, () => deadline.abort());
    await clock.until(delivery.finish(deadline.signal, { backlogToo: true }), 10_001);
    await clock.advance(0);
    expect(accounts()).toMatchObject({ pending: 2, balance: 0 });
  });

  it('sends the backlog too where it would be lost, and leaves it to the next start elsewhere', async () => {
    for (const backlogToo of [true, false]) {
      const { clock, sink, offer, delivery } = begin((set) => {
        set.maxItems = 2_000;
      });
      sink.answer = () => DOWN;
      offer(5_000);
      await clock.advance(10_000);
      sink.answer = () => ({ kind: 'delivered' });
      while (delivery.view.failing !== null) await clock.advance(100);
      await clock.until(delivery.finish(new AbortController().signal, { backlogToo }), 50);
      if (backlogToo) expect(delivery.pending).toBe(0);
      else expect(delivery.pending).toBeGreaterThan(1_000);
    }
  });

  it('leaves no timer behind', async () => {
    const { clock, sink, offer, delivery } = begin();
    sink.answer = () => DOWN;
    offer(3);
    await clock.advance(10_000);
    await clock.until(delivery.finish(new AbortController().signal, { backlogToo: false }));
    const calls = sink.sent.length;
    await clock.advance(3_600_000);
    expect(sink.sent).toHaveLength(calls);
  });
});
