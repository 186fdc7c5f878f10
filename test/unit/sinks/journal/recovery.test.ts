import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import type { DestinationId } from '../../../../src/shared/domain/delivery.ts';
import { anEmission } from '../../../support/builders.ts';
import { A, aFolder, B, killed, open, segmentFiles, seqsOf } from './opening.ts';

/** The bytes of a journal of three records, and where each line starts. */
const threeRecords = () => {
  const folder = aFolder();
  const { journal } = open(folder);
  for (let tick = 1; tick <= 3; tick++) journal.append(anEmission({ tick }), null, [A], false);
  const bytes = readFileSync(segmentFiles(folder)[0] as string);
  const starts = [0];
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) starts.push(at + 1);
  return { bytes, starts };
};

/** A state folder as a killed process left it, with these files. */
const leftBehind = (...files: readonly Uint8Array[]): string => {
  const folder = aFolder();
  mkdirSync(path.join(folder, 'spool-0'));
  files.forEach((bytes, n) => {
    writeFileSync(path.join(folder, 'spool-0', `${String(n + 1).padStart(8, '0')}.log`), bytes);
  });
  return folder;
};

it('forgets a torn last record and nothing else, wherever it was torn', () => {
  const { bytes, starts } = threeRecords();
  const [, , , last = 0] = starts;
  for (let length = last + 1; length < bytes.length - 1; length++) {
    const folder = leftBehind(bytes.subarray(0, length));
    const { journal } = open(folder);
    expect([length, seqsOf(journal)]).toEqual([length, { [A]: [1, 2] }]);
    expect(journal.state.damaged).toBe(0);
    expect(statSync(segmentFiles(folder)[0] as string).size).toBe(last);
    expect(journal.append(anEmission({ tick: 9 }), null, [A], false)).toBe(3);
    expect(journal.read(3)?.emission).toEqual(anEmission({ tick: 9 }));
    journal[Symbol.dispose]();
  }
});

it('keeps a last record that lacks nothing but its newline', () => {
  const { bytes } = threeRecords();
  const { journal } = open(leftBehind(bytes.subarray(0, -1)));
  expect(seqsOf(journal)).toEqual({ [A]: [1, 2, 3] });
  expect(journal.read(3)).not.toBeNull();
});

it.each<[string, (byte: number) => number]>([
  ['the lowest bit', (byte) => byte ^ 0x01],
  ['the highest bit', (byte) => byte ^ 0x80],
  ['all of it, to a newline', () => 10],
])(
  'skips a damaged record and finds those around it, whichever byte has flipped: %s',
  (_, flip) => {
    const { bytes, starts } = threeRecords();
    const [, , second = 0, third = 0] = starts;
    for (let at = second; at < third - 1; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at] = flip(bytes[at] as number);
      const { journal } = open(leftBehind(damaged));
      expect([at, seqsOf(journal)]).toEqual([at, { [A]: [1, 3] }]);
      expect(journal.state.damaged).toBe(1);
      const read = [1, 2, 3].map((seq) => journal.read(seq)?.emission);
      expect(read).toEqual([anEmission({ tick: 1 }), undefined, anEmission({ tick: 3 })]);
      journal[Symbol.dispose]();
    }
  },
);

it('loses no record to a damaged newline', () => {
  const { bytes, starts } = threeRecords();
  const damaged = Buffer.from(bytes);
  damaged[(starts[2] as number) - 1] = 0;
  expect(seqsOf(open(leftBehind(damaged)).journal)).toEqual({ [A]: [1, 2, 3] });
});

it('counts a damaged last record, as no process that was killed leaves that', () => {
  const { bytes } = threeRecords();
  const damaged = Buffer.from(bytes);
  damaged[bytes.length - 5] = 0;
  const { journal } = open(leftBehind(damaged));
  expect([seqsOf(journal), journal.state.damaged]).toEqual([{ [A]: [1, 2] }, 1]);
});

it('gives no record to the wrong destination when the list of destinations is damaged', () => {
  const folder = aFolder();
  const { journal } = open(folder);
  journal.append(anEmission(), null, [A], false);
  journal.append(anEmission(), null, [B], false);
  journal.append(anEmission(), null, [A, B], false);
  const bytes = readFileSync(segmentFiles(folder)[0] as string);
  bytes[bytes.indexOf('D 0') + 6] = 0;
  const reopened = open(leftBehind(bytes)).journal;
  expect(seqsOf(reopened)).toEqual({ [A]: [3], [B]: [2, 3] });
  expect(reopened.state.damaged).toBeGreaterThan(0);
});

it('tells damage that happens while it runs by giving nothing', () => {
  const folder = aFolder();
  const { journal } = open(folder);
  journal.append(anEmission(), null, [A], false);
  const [file = ''] = segmentFiles(folder);
  const bytes = readFileSync(file);
  bytes[bytes.length - 10] = 0;
  writeFileSync(file, bytes);
  expect(journal.read(1)).toBeNull();
});

it('puts segments together in the order in which they were written, beyond any number of digits', () => {
  const folder = aFolder();
  const limits = { disk: { segmentBytes: 600, totalBytes: 1e6 } };
  const { journal } = open(folder, { limits });
  for (let tick = 1; tick <= 30; tick++) journal.append(anEmission({ tick }), null, [A], false);
  expect(segmentFiles(folder).length).toBeGreaterThan(9);
  journal.done(A, [1, 2, 15]);
  journal[Symbol.dispose]();
  const reopened = open(folder, { limits }).journal;
  const expected = Array.from({ length: 30 }, (_, n) => n + 1).filter(
    (n) => n !== 1 && n !== 2 && n !== 15,
  );
  expect(seqsOf(reopened)).toEqual({ [A]: expected });
  expect(reopened.read(20)?.emission).toEqual(anEmission({ tick: 20 }));
});

it('keeps acknowledgements as long as the records that they are about', () => {
  const folder = aFolder();
  const limits = { disk: { segmentBytes: 600, totalBytes: 1e6 } };
  const { journal } = open(folder, { limits });
  for (let tick = 1; tick <= 10; tick++) journal.append(anEmission({ tick }), null, [A, B], false);
  // One record keeps the first segment; all others are done, and their acknowledgements come later.
  journal.done(A, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  journal.done(B, [2, 3, 4, 5, 6, 7, 8, 9, 10]);
  journal[Symbol.dispose]();
  const second = open(folder, { limits }).journal;
  expect(seqsOf(second)).toEqual({ [B]: [1] });
  second[Symbol.dispose]();
  const third = open(folder, { limits }).journal;
  expect(seqsOf(third)).toEqual({ [B]: [1] });
  third.done(B, [1]);
  expect(segmentFiles(folder)).toEqual([]);
});

it('leaves what is not its own alone, and names it', () => {
  const { bytes } = threeRecords();
  const folder = leftBehind(bytes);
  const slot = path.join(folder, 'spool-0');
  writeFileSync(path.join(slot, 'notes.txt'), 'mine');
  mkdirSync(path.join(slot, '00000007.log'));
  const { journal, warnings } = open(folder);
  const foreign = [path.join(slot, '00000007.log'), path.join(slot, 'notes.txt')];
  expect(journal.state.foreign.toSorted()).toEqual(foreign);
  expect(warnings).toHaveLength(1);
  expect(seqsOf(journal)).toEqual({ [A]: [1, 2, 3] });
  journal.done(A, [1, 2, 3]);
  journal[Symbol.dispose]();
  expect(readFileSync(path.join(slot, 'notes.txt'), 'utf8')).toBe('mine');
});

it('is not confused by files that were copied back, or that hold something else', () => {
  const { bytes } = threeRecords();
  const junk = Buffer.alloc(50_000, '\n00000003 ffffffff abc');
  const { journal } = open(leftBehind(bytes, bytes, junk, Buffer.alloc(0), Buffer.alloc(100)));
  expect(seqsOf(journal)).toEqual({ [A]: [1, 2, 3] });
  expect(journal.append(anEmission(), null, [A], false)).toBe(4);
  expect(journal.read(4)).not.toBeNull();
});

it('finds what was written behind a stretch of zeros, as a power cut leaves it', () => {
  const { bytes, starts } = threeRecords();
  const second = starts[2] as number;
  const zeros = Buffer.alloc(4096);
  const folder = leftBehind(Buffer.concat([bytes.subarray(0, second), zeros]));
  const { journal } = open(folder);
  expect(seqsOf(journal)).toEqual({ [A]: [1] });
  expect(statSync(segmentFiles(folder)[0] as string).size).toBe(second);
});

it('takes the folder for unusable, and says so once, where it cannot be read', () => {
  const folder = aFolder();
  symlinkSync('state', path.join(folder, 'state'));
  const { journal, warnings } = open(path.join(folder, 'state'));
  journal.recovered();
  const seq = journal.append(anEmission(), null, [A], false);
  expect(journal.read(seq)).not.toBeNull();
  expect(journal.state.isDurable).toBe(false);
  expect(journal.state.foreign).toEqual([path.join(folder, 'state')]);
  expect(warnings.map(({ message }) => message)).toEqual([
    expect.stringContaining('cannot be written'),
  ]);
});

it('goes on beside what a killed process has left, in a file of its own', () => {
  const folder = aFolder();
  open(folder).journal.append(anEmission({ tick: 1 }), null, [A], false);
  const [first = ''] = segmentFiles(folder);
  appendFileSync(first, '000001');
  killed(folder);
  const { journal } = open(folder);
  journal.append(anEmission({ tick: 2 }), null, [A], false);
  expect(segmentFiles(folder)).toHaveLength(2);
  killed(folder);
  expect(seqsOf(open(folder).journal)).toEqual({ [A]: [1, 2] });
});

it('opens a journal of many megabytes quickly', { timeout: 60_000 }, () => {
  const folder = aFolder();
  const { journal } = open(folder);
  const to = [A, B, 'c' as DestinationId];
  for (let tick = 0; tick < 40_000; tick++) journal.append(anEmission({ tick }), null, to, false);
  const { diskBytes } = journal.state;
  journal[Symbol.dispose]();
  const startedAt = performance.now();
  const reopened = open(folder).journal;
  const found = reopened.recovered().get(A)?.length;
  const ms = performance.now() - startedAt;
  console.log(
    `recovered ${found} records, ${Math.round(diskBytes / 1e6)} MB, in ${Math.round(ms)} ms`,
  );
  expect(found).toBe(40_000);
});
