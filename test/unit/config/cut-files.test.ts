import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codes, definitions, fixture, read } from './reading.ts';

const TEXTS = {
  canonical: fixture('configs/good/every-key.yml').toString(),
  repaired: fixture('notes-endpoints.yml').toString(),
};

describe.each(Object.entries(TEXTS))('a %s file that is cut off somewhere', (_, text) => {
  const whole = new Map(definitions(read(text)).map((check) => [check.key, check]));

  it('never brings the loader down, and never changes a check that it still holds whole', () => {
    const cuts = fc.integer({ min: 0, max: text.length });
    fc.assert(
      fc.property(cuts, (end) => {
        const cut = definitions(read(text.slice(0, end)));
        for (const check of cut.slice(0, -1)) expect(check).toEqual(whole.get(check.key));
      }),
      { numRuns: 300 },
    );
  });

  it('says so, unless the cut is at the end of a line', () => {
    const cuts = fc
      .integer({ min: 1, max: text.length - 1 })
      .filter((end) => text[end - 1] !== '\n');
    fc.assert(
      fc.property(cuts, (end) => {
        expect(codes(read(text.slice(0, end)))).toEqual(
          expect.arrayContaining([expect.stringMatching(/^(?:E|I207)/)]),
        );
      }),
      { numRuns: 300 },
    );
  });
});

describe('a file of anything', () => {
  it('is read without a crash', () => {
    const line = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 30 }),
      fc.constantFrom(
        'a.example.com/:',
        '  cron_schedule: * * * * *',
        '  post_service: x',
        '    aws_key: {a}',
        '  - {a} b',
        '---',
        'self:',
        '  post_endpoint: &x *x',
        '  ? [a]: {b',
        '\tx: 1',
        '<<: *a',
      ),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 15 }), (lines) => {
        expect(read(lines.join('\n')).digest).toBeTypeOf('bigint');
      }),
      { numRuns: 500 },
    );
  });

  it('may be bytes of any kind', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(read(Buffer.from(bytes)).checks).toHaveLength(0);
      }),
    );
  });
});
