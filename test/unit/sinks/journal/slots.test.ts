import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { anEmission } from '../../../support/builders.ts';
import { startProcess } from '../../../support/processes.ts';
import { A, aFolder, B, killed, open, segmentFiles, seqsOf } from './opening.ts';

const CHILD = new URL('./appending-process.ts', import.meta.url).pathname;
const CLAIMING = new URL('./claiming-process.ts', import.meta.url).pathname;
const startAppending = (folder: string) => startProcess([process.execPath, CHILD, folder]);
const slotsIn = (folder: string) => readdirSync(folder).toSorted();

it('gives each of two journals in one folder a slot of its own, and neither the other’s records', () => {
  const folder = aFolder();
  const first = open(folder).journal;
  first.append(anEmission({ tick: 1 }), null, [A], false);
  const second = open(folder).journal;
  expect(seqsOf(second)).toEqual({});
  second.append(anEmission({ tick: 2 }), null, [A], false);
  expect(slotsIn(folder)).toEqual(['spool-0', 'spool-1']);
  expect(first.read(1)?.emission).toEqual(anEmission({ tick: 1 }));
  expect(second.read(1)?.emission).toEqual(anEmission({ tick: 2 }));
});

it('takes the slot of a process that has ended, and makes no new one', () => {
  const folder = aFolder();
  for (let n = 0; n < 3; n++) {
    const { journal } = open(folder);
    journal.append(anEmission(), null, [A], false);
    journal[Symbol.dispose]();
  }
  expect(slotsIn(folder)).toEqual(['spool-0']);
  expect(seqsOf(open(folder).journal)).toEqual({ [A]: [1, 2, 3] });
});

it('adopts what several dead processes have left, for whom they left it', () => {
  const folder = aFolder();
  const [first, second, third] = [open(folder), open(folder), open(folder)].map(
    ({ journal }, n) => {
      journal.append(anEmission({ tick: 10 * n + 1 }), { [A]: n } as never, [A, B], false);
      journal.append(anEmission({ tick: 10 * n + 2 }), null, [B], true);
      return journal;
    },
  );
  second?.done(B, [1]);
  for (const one of [first, second, third]) one?.[Symbol.dispose]();
  const { journal } = open(folder);
  const found = journal.recovered();
  const ticks = (id: typeof A) =>
    found.get(id)?.map(({ seq, urgent }) => {
      const record = journal.read(seq);
      return record?.emission.kind === 'result' && [record.emission.result.tick, urgent];
    });
  expect(ticks(A)).toEqual([
    [1, false],
    [11, false],
    [21, false],
  ]);
  expect(ticks(B)).toEqual([
    [1, false],
    [2, true],
    [12, true],
    [21, false],
    [22, true],
  ]);
  expect(['spool-1', 'spool-2'].map((slot) => segmentFiles(folder, slot))).toEqual([[], []]);
  // It is in the file of the one that adopted it.
  killed(folder);
  expect(seqsOf(open(folder).journal)[A]).toHaveLength(3);
});

it('adopts nothing of a living process', () => {
  const folder = aFolder();
  const [dead, living] = [open(folder).journal, open(folder).journal];
  dead.append(anEmission(), null, [A], false);
  living.append(anEmission(), null, [B], false);
  dead[Symbol.dispose]();
  expect(seqsOf(open(folder).journal)).toEqual({ [A]: [1] });
  expect(living.read(1)).not.toBeNull();
  expect(segmentFiles(folder, 'spool-1')).toHaveLength(1);
});

it('leaves what a process has left that ended after this one started to the next one', () => {
  const folder = aFolder();
  const early = open(folder).journal;
  const other = open(folder).journal;
  other.append(anEmission({ tick: 1 }), null, [A], false);
  other[Symbol.dispose]();
  early.append(anEmission({ tick: 2 }), null, [A], false);
  expect(slotsIn(folder)).toEqual(['spool-0', 'spool-1']);
  expect(early.state.isDurable).toBe(true);
  expect(seqsOf(open(folder).journal)).toEqual({ [A]: [1] });
});

describe('a lock', () => {
  const withLock = (text: string) => {
    const folder = aFolder();
    mkdirSync(path.join(folder, 'spool-0'));
    writeFileSync(path.join(folder, 'spool-0', 'lock-4'), text);
    open(folder).journal.append(anEmission(), null, [A], false);
    return { folder, slots: slotsIn(folder) };
  };
  const ownStart = () => {
    const stat = readFileSync('/proc/self/stat', 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  };

  it.each([
    ['of a pid that nobody has', '999999999 1'],
    ['that was let go', ''],
    ['that is no lock', 'what'],
  ])('%s is taken over', (_, text) => {
    const { folder, slots } = withLock(text);
    expect(slots).toEqual(['spool-0']);
    expect(readdirSync(path.join(folder, 'spool-0'))).toContain('lock-5');
  });

  it.runIf(process.platform === 'linux')('of a pid that was given again is taken over', () => {
    expect(withLock(`${process.pid} 1`).slots).toEqual(['spool-0']);
  });

  it.runIf(process.platform === 'linux')('of a living process holds', () => {
    expect(withLock(`${process.pid} ${ownStart()}`).slots).toEqual(['spool-0', 'spool-1']);
  });

  it('of a living process that did not know its start holds', () => {
    expect(withLock(`${process.pid}`).slots).toEqual(['spool-0', 'spool-1']);
  });
});

it('is won by one of the processes that find it to be nobody’s at once', {
  timeout: 60_000,
}, async () => {
  const folder = aFolder();
  for (let n = 0; n < 300; n++) {
    mkdirSync(path.join(folder, `${n}`));
    writeFileSync(path.join(folder, `${n}`, 'lock-1'), '');
  }
  const claiming = () => startProcess([process.execPath, CLAIMING, folder, '300']);
  await using first = claiming();
  await using second = claiming();
  for (const { lines } of [first, second]) expect((await lines.next()).value).toBe('ready');
  writeFileSync(path.join(folder, 'go'), '');
  const [one, other] = await Promise.all(
    [first, second].map(async ({ lines }) => JSON.parse((await lines.next()).value as string)),
  );
  expect([...one, ...other].toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: 300 }, (_, n) => n),
  );
});

it('finds everything that a killed process had appended, at whatever moment', {
  timeout: 60_000,
}, async () => {
  const folder = aFolder();
  for (let round = 0; round < 5; round++) {
    await using child = startAppending(folder);
    const confirmed: (readonly number[])[] = [];
    for await (const line of child.lines) {
      confirmed.push(line.split(' ').map(Number));
      if (confirmed.length === 200 + 77 * round) void child.stop('SIGKILL');
    }
    await child.exited;
    const { journal } = open(folder);
    const found = new Set(
      journal
        .recovered()
        .get(A)
        ?.map(({ seq }) => seq),
    );
    expect(confirmed.filter(([seq = 0]) => !found.has(seq))).toEqual([]);
    for (const [seq = 0, tick = 0] of confirmed)
      expect(journal.read(seq)?.emission).toEqual(anEmission({ tick }));
    expect(journal.state.damaged).toBe(0);
    journal.done(A, [...found]);
    journal[Symbol.dispose]();
  }
});
