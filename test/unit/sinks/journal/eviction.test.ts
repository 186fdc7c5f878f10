import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { DestinationId } from '../../../../src/shared/domain/delivery.ts';
import type { Journal, JournalOptions } from '../../../../src/shared/sinks/journal/journal.ts';

import { A, aFolder, B, killed, open, segmentFiles, seqsOf } from './opening.ts';
import { aWideEmission } from './wide-emission.ts';

const SEGMENT = 4096;
const TOTAL = 10 * SEGMENT;
const LIMIT = { segmentBytes: SEGMENT, totalBytes: TOTAL };
const LIMITS = { disk: LIMIT, memory: LIMIT };

/** What the deliveries hold: by seq, who waits for it and for which emission. */
class Holders {
  readonly waiting = new Map<number, { tick: number; urgent: boolean; to: DestinationId[] }>();
  readonly ranges: (readonly [number, number])[] = [];
  readonly dropped: number[] = [];
  moves = 0;

  readonly options: Partial<JournalOptions> = {
    limits: LIMITS,
    onEvict: (from, to) => {
      this.ranges.push([from, to]);
      const urgent = new Map<number, readonly DestinationId[]>();
      for (const [seq, one] of this.waiting) {
        if (seq > to) continue;
        if (one.urgent) urgent.set(seq, one.to);
        else {
          this.dropped.push(one.tick);
          this.waiting.delete(seq);
        }
      }
      return urgent;
    },
    onMoved: (from, to, destinations) => {
      const one = this.waiting.get(from);
      if (one === undefined) throw new Error(`nobody waits for ${from}`);
      this.moves += 1;
      this.waiting.delete(from);
      this.waiting.set(to, { ...one, to: [...destinations] });
    },
  };

  append(journal: Journal, tick: number, urgent: boolean, to: DestinationId[] = [A]): void {
    this.waiting.set(journal.append(aWideEmission({ tick }), null, to, urgent), {
      tick,
      urgent,
      to,
    });
  }

  /** Ticks of what still waits and can be read. */
  readable(journal: Journal): readonly number[] {
    return [...this.waiting]
      .filter(([seq]) => journal.read(seq) !== null)
      .map(([, { tick }]) => tick)
      .toSorted((a, b) => a - b);
  }
}

const bytesOf = ({ state }: Journal): number => state.diskBytes + state.memoryBytes;

describe.each(['disk', 'memory'])('a journal on %s', (kind) => {
  const opened = () => {
    const holders = new Holders();
    const folder = kind === 'disk' ? aFolder() : null;
    const { journal } = open(folder, holders.options);
    journal.recovered();
    return { holders, journal, folder };
  };

  it('never takes more than its bound, and keeps the newest', () => {
    const { holders, journal } = opened();
    for (let tick = 0; tick < 500; tick++) {
      holders.append(journal, tick, false);
      expect(bytesOf(journal)).toBeLessThanOrEqual(TOTAL);
    }
    const kept = holders.readable(journal);
    expect(kept.length).toBeGreaterThan(80);
    expect(kept).toEqual(Array.from(kept, (_, n) => 500 - kept.length + n));
    expect(kept.length + holders.dropped.length).toBe(500);
  });

  it('takes its oldest away, segment by segment, and says which seqs those are', () => {
    const { holders, journal } = opened();
    for (let tick = 0; tick < 500; tick++) holders.append(journal, tick, false);
    expect(holders.ranges[0]?.[0]).toBe(1);
    const gaps = holders.ranges.slice(1).map(([from], n) => from - (holders.ranges[n]?.[1] ?? 0));
    expect(new Set(gaps)).toEqual(new Set([1]));
  });

  it('keeps state changes when the repeats around them go', () => {
    const { holders, journal } = opened();
    const changes: number[] = [];
    for (let tick = 0; tick < 2000; tick++) {
      const urgent = tick % 200 === 7;
      if (urgent) changes.push(tick);
      holders.append(journal, tick, urgent);
    }
    const kept = holders.readable(journal);
    expect(kept).toEqual(expect.arrayContaining(changes));
    expect(kept.length).toBeGreaterThan(80);
    expect(bytesOf(journal)).toBeLessThanOrEqual(TOTAL);
  });

  it('keeps a state change only for those who still wait for it', () => {
    const { holders, journal } = opened();
    holders.append(journal, 0, true, [A, B]);
    journal.done(A, [1]);
    for (let tick = 1; tick < 300; tick++) holders.append(journal, tick, false);
    const [[seq] = [0]] = [...holders.waiting].filter(([, { tick }]) => tick === 0);
    expect(holders.waiting.get(seq)?.to).toEqual([B]);
    const { pending } = journal.state;
    journal.done(A, [seq]);
    expect(journal.state.pending).toBe(pending);
    journal.done(B, [seq]);
    expect(journal.state.pending).toBe(pending - 1);
  });

  it('lets the oldest state changes go where they alone are too many, and ends', () => {
    const { holders, journal } = opened();
    for (let tick = 0; tick < 1000; tick++) {
      holders.append(journal, tick, true);
      expect(bytesOf(journal)).toBeLessThanOrEqual(TOTAL);
    }
    const kept = holders.readable(journal);
    expect(kept.length).toBeGreaterThan(50);
    expect(kept.at(-1)).toBe(999);
    expect(kept).toEqual(Array.from(kept, (_, n) => 1000 - kept.length + n));
  });

  it('writes no more than an eighth of its bound anew at a time: a check waits for that', () => {
    const { holders, journal } = opened();
    const before = { moves: 0 };
    let most = 0;
    for (let tick = 0; tick < 500; tick++) {
      holders.append(journal, tick, tick < 40);
      most = Math.max(most, holders.moves - before.moves);
      before.moves = holders.moves;
    }
    expect(most).toBeGreaterThan(0);
    expect(most * 340).toBeLessThanOrEqual(TOTAL / 8);
  });

  it('is content with an answer of seqs that are not in question', () => {
    const holders = new Holders();
    const { journal } = open(kind === 'disk' ? aFolder() : null, {
      ...holders.options,
      onEvict: () => new Map([-5, 0.5, 1e9, 3].map((seq) => [seq, [B]])),
      onMoved: (...moved) => {
        throw new Error(`moved ${moved}`);
      },
    });
    journal.recovered();
    for (let tick = 0; tick < 300; tick++) holders.append(journal, tick, false);
    expect(journal.read(300)).not.toBeNull();
  });

  it('lets deliveries be done with what goes, and with what stays, while it goes', () => {
    const box: { journal?: Journal } = {};
    const { journal } = open(kind === 'disk' ? aFolder() : null, {
      limits: LIMITS,
      onEvict: (_, to) => {
        box.journal?.done(
          A,
          Array.from({ length: to + 20 }, (_, n) => n + 1),
        );
        return new Map();
      },
    });
    box.journal = journal;
    journal.recovered();
    for (let tick = 0; tick < 1000; tick++) journal.append(aWideEmission(), null, [A], false);
    expect(bytesOf(journal)).toBeLessThanOrEqual(TOTAL);
    expect(journal.read(1000)).not.toBeNull();
  });
});

it('has removed the files of what went', () => {
  const holders = new Holders();
  const folder = aFolder();
  const { journal } = open(folder, holders.options);
  journal.recovered();
  holders.append(journal, 0, false);
  const [first = ''] = segmentFiles(folder);
  for (let tick = 1; tick < 500; tick++) holders.append(journal, tick, tick === 5);
  expect(existsSync(first)).toBe(false);
  expect(segmentFiles(folder).length).toBeLessThanOrEqual(11);
});

it('finds a state change that was written anew after a kill, once', () => {
  const holders = new Holders();
  const folder = aFolder();
  const { journal } = open(folder, holders.options);
  journal.recovered();
  for (let tick = 0; tick < 500; tick++) holders.append(journal, tick, tick === 5);
  const [[seq] = [0]] = [...holders.waiting].filter(([, { tick }]) => tick === 5);
  killed(folder);
  const reopened = open(folder, { limits: LIMITS }).journal;
  expect(reopened.read(seq)?.emission).toEqual(aWideEmission({ tick: 5 }));
  const urgent = reopened
    .recovered()
    .get(A)
    ?.filter((one) => one.urgent);
  expect(urgent).toEqual([{ seq, at: 5, urgent: true }]);
});

it('answers for the deliveries as long as there are none', () => {
  const folder = aFolder();
  const wide = { disk: { segmentBytes: SEGMENT, totalBytes: 100 * SEGMENT } };
  const { journal } = open(folder, { limits: wide });
  for (let tick = 0; tick < 500; tick++)
    journal.append(aWideEmission({ tick }), null, [A], tick === 3);
  journal[Symbol.dispose]();
  // A smaller bound now: room is made before anybody has asked for what is there.
  const next = open(folder, { limits: LIMITS }).journal;
  next.append(aWideEmission({ tick: 500 }), null, [A], false);
  const ats =
    next
      .recovered()
      .get(A)
      ?.map(({ at }) => at) ?? [];
  expect(ats).toContain(3);
  expect(ats).toContain(499);
  expect(ats.length).toBeLessThan(200);
  expect(seqsOf(next)[A]?.length).toBe(ats.length);
});
