import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CheckId, JsonValue } from '../../../../src/shared/domain/check.ts';
import type { DestinationId, Emission } from '../../../../src/shared/domain/delivery.ts';
import { anEmission, aSelfEmission, TICK } from '../../../support/builders.ts';
import { A, aFolder, B, killed, open, segmentFiles, seqsOf } from './opening.ts';

const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe.each(['disk', 'memory'])('in a journal on %s', (kind) => {
  const aPlace = () => (kind === 'disk' ? aFolder() : null);

  it.each<[string, Emission]>([
    ['a plain result', anEmission()],
    [
      'a result with every optional field',
      anEmission({
        phases: { dns: 0, connect: 1, tls: 2, first_byte: 3, body: 4 },
        unscheduled: true,
        certificateExpiresAt: TICK,
        detached: true,
      }),
    ],
    [
      'a state change',
      anEmission(
        {
          status: 'critical',
          code: 'timeout' as never,
          reason: 'said "no"\n\\ and 世界 \u{1f4a5}',
        },
        { from: 'pending', to: 'critical', at: TICK, reason: 'said "no"' },
      ),
    ],
    [
      'huge and tiny numbers',
      anEmission({ durationMs: 1e300, latenessMs: -5e-324, tick: 2 ** 53 }),
    ],
    ['no values', anEmission({ values: {} })],
    [
      'a self report',
      aSelfEmission({
        status: 'degraded',
        findings: ['a', 'b'],
        samples: [{ name: 'x', kind: 'count', unit: 'ms', labels: { a: 'b' }, value: 0.1 }],
      }),
    ],
  ])('gives back %s as it was appended', (_, emission) => {
    const { journal } = open(aPlace());
    const seq = journal.append(emission, null, [A], false);
    expect(journal.read(seq)).toStrictEqual({ emission, bodies: null });
  });

  it('gives back whatever texts, values and bodies there are, as JSON has them', () => {
    const { journal } = open(aPlace());
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.string({ unit: 'binary' }),
        fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()),
        fc.double(),
        fc.jsonValue(),
        (check, reason, values, durationMs, body) => {
          const emission = anEmission({
            id: check as CheckId,
            check,
            reason,
            durationMs,
            values: values as Record<string, JsonValue>,
          });
          const bodies = { [A]: body as JsonValue };
          const seq = journal.append(emission, bodies, [A], false);
          expect(journal.read(seq)).toEqual(asJson({ emission, bodies }));
        },
      ),
    );
  });

  it('numbers records by one each, and reads any of them in any order', () => {
    const { journal } = open(aPlace());
    const seqs = Array.from({ length: 200 }, (_, n) =>
      journal.append(anEmission({ tick: n }), null, n % 2 === 0 ? [A] : [A, B], false),
    );
    expect(seqs).toEqual(Array.from({ length: 200 }, (_, n) => n + (seqs[0] as number)));
    for (const n of [199, 0, 100, 1])
      expect(journal.read(seqs[n] as number)).toEqual({
        emission: anEmission({ tick: n }),
        bodies: null,
      });
  });

  it('has nothing under a seq that was never given', () => {
    const { journal } = open(aPlace());
    const seq = journal.append(anEmission(), null, [A], false);
    expect([0, -1, seq + 1, 1e9, 1.5, Number.NaN].map((n) => journal.read(n))).toEqual(
      Array(6).fill(null),
    );
  });

  it('counts what is pending by destination, each done once however often it is said', () => {
    const { journal } = open(aPlace());
    const seq = journal.append(anEmission(), null, [A, B], false);
    journal.append(anEmission(), null, [B], false);
    expect(journal.state.pending).toBe(3);
    journal.done(A, [seq, seq]);
    journal.done(A, [seq, seq + 1, seq + 2, -7]);
    expect(journal.state.pending).toBe(2);
    journal.done(B, [seq, seq + 1]);
    expect(journal.state.pending).toBe(0);
  });

  it('reads a record until its last destination is done with it, and beyond while it is there', () => {
    const { journal } = open(aPlace());
    const seq = journal.append(anEmission(), null, [A, B], false);
    journal.done(A, [seq]);
    expect(journal.read(seq)).not.toBeNull();
  });

  it('keeps no more than one segment when everything is done', () => {
    const limits = {
      disk: { segmentBytes: 4096, totalBytes: 1e6 },
      memory: { segmentBytes: 4096, totalBytes: 1e6 },
    };
    const { journal } = open(aPlace(), { limits });
    for (let n = 0; n < 500; n++) journal.done(A, [journal.append(anEmission(), null, [A], false)]);
    expect(journal.state.diskBytes + journal.state.memoryBytes).toBeLessThanOrEqual(4096);
  });

  it('takes a record that is larger than a segment', () => {
    const limits = {
      disk: { segmentBytes: 1024, totalBytes: 1e6 },
      memory: { segmentBytes: 1024, totalBytes: 1e6 },
    };
    const { journal } = open(aPlace(), { limits });
    const emission = anEmission({ reason: '世'.repeat(10_000) });
    const seqs = [anEmission(), emission, anEmission()].map((one) =>
      journal.append(one, null, [A], false),
    );
    expect(journal.read(seqs[1] as number)?.emission).toEqual(emission);
    expect(journal.read(seqs[2] as number)?.emission).toEqual(anEmission());
  });

  it('tells lists of destinations apart, whoever made them', () => {
    const { journal } = open(aPlace());
    const many = Array.from({ length: 100 }, (_, n) => `id-${n}` as DestinationId);
    const seqs = [many, [...many], [A], [B, A], many].map((to) =>
      journal.append(anEmission(), null, to, false),
    );
    expect(journal.state.pending).toBe(303);
    for (const id of many) journal.done(id, seqs);
    expect(journal.state.pending).toBe(3);
    journal.done(A, seqs);
    expect(journal.state.pending).toBe(1);
  });
});

it('survives the process with what nobody was done with', () => {
  const folder = aFolder();
  const first = open(folder).journal;
  first.append(anEmission({ tick: 1 }), null, [A, B], false);
  first.append(anEmission({ tick: 2 }), { [B]: { x: 1 } } as never, [B], true);
  first.append(anEmission({ tick: 3 }), null, [A], false);
  first.done(A, [1]);
  first[Symbol.dispose]();
  const { journal } = open(folder);
  expect(Object.fromEntries(journal.recovered())).toEqual({
    [A]: [{ seq: 3, at: 3, urgent: false }],
    [B]: [
      { seq: 1, at: 1, urgent: false },
      { seq: 2, at: 2, urgent: true },
    ],
  });
  expect(journal.read(2)).toEqual({ emission: anEmission({ tick: 2 }), bodies: { [B]: { x: 1 } } });
  expect(journal.append(anEmission(), null, [A], false)).toBe(4);
});

it('writes acknowledgements at most once a second, and repeats what came after the last of them', async () => {
  const folder = aFolder();
  const { journal, clock } = open(folder);
  for (let n = 0; n < 6; n++) journal.append(anEmission(), null, [A], false);
  const lines = () =>
    readFileSync(segmentFiles(folder)[0] as string, 'utf8')
      .trimEnd()
      .split('\n');
  const before = lines();
  journal.done(A, [4]);
  journal.done(A, [2, 1]);
  await clock.advance(999);
  expect(lines()).toEqual(before);
  await clock.advance(1);
  expect(lines()).toEqual([...before, expect.stringMatching(` A {"${A}":\\[1,2,4,4\\]}$`)]);
  journal.done(A, [5]);
  killed(folder);
  expect(seqsOf(open(folder).journal)).toEqual({ [A]: [3, 5, 6] });
});

it('makes no folder before there is something to keep', () => {
  const folder = path.join(aFolder(), 'state');
  const { journal } = open(folder);
  journal.recovered();
  expect(existsSync(folder)).toBe(false);
  journal.append(anEmission(), null, [A], false);
  expect(existsSync(folder)).toBe(true);
});

it('leaves no segment behind when everything was delivered', () => {
  const folder = aFolder();
  const { journal } = open(folder);
  journal.done(A, [journal.append(anEmission(), null, [A], false)]);
  journal[Symbol.dispose]();
  expect(segmentFiles(folder)).toEqual([]);
});

it('is readable for its owner only', () => {
  const folder = path.join(aFolder(), 'state');
  open(folder).journal.append(anEmission(), null, [A], false);
  const slot = path.join(folder, 'spool-0');
  const mode = (file: string) => statSync(file).mode & 0o777;
  expect([mode(folder), mode(slot)]).toEqual([0o700, 0o700]);
  const files = readdirSync(slot).map((name) => mode(path.join(slot, name)));
  expect(new Set(files)).toEqual(new Set([0o600]));
});

it('says whether what it takes survives the process', () => {
  expect(open(null).journal.state.isDurable).toBe(false);
  expect(open(aFolder()).journal.state.isDurable).toBe(true);
});
