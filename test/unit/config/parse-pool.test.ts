import { describe, expect, it } from 'vitest';
import { decode, encode } from '../../../src/shared/config/parse-message.ts';
import { ParsePool, parseHere } from '../../../src/shared/config/parse-pool.ts';
import { pressureAdvice } from '../../../src/shared/config/pressure.ts';
import { systemClock } from '../../../src/shared/runtime/clock.ts';
import { TimeSlice } from '../../../src/shared/runtime/time-slice.ts';
import { definitions, fixture, read } from './reading.ts';

const many = (count: number): string =>
  Array.from(
    { length: count },
    (_, n) => `n${n}.example.com/: { cron_schedule: "* * * * *" }\n`,
  ).join('');

describe('what crosses threads', () => {
  it.each(['configs/good/every-key.yml', 'notes-self.yml', 'configs/bad/alias.yml'])(
    'is the same on the other side: %s',
    async (name) => {
      const file = read(fixture(name));
      expect(await decode(encode(file), new TimeSlice(systemClock))).toEqual(file);
    },
  );

  it('goes in pieces, with a spec written once for the checks that share it', () => {
    const { pieces } = encode(read(many(250)));
    expect(pieces.map((piece) => JSON.parse(piece).checks.length)).toEqual([100, 100, 50]);
    expect(pieces.map((piece) => JSON.parse(piece).specs.length)).toEqual([1, 1, 1]);
  });
});

describe('parse threads', () => {
  it('answer as the main thread does, for more files than there are threads', async () => {
    using pool = new ParsePool(systemClock);
    const texts = [
      many(3),
      'just text\n',
      '',
      fixture('notes-endpoints.yml').toString(),
      '&a [*a]\n',
    ];
    const requests = texts.map((text, n) => ({
      file: `${n}.yml`,
      name: `${n}.yml`,
      bytes: Buffer.from(text),
      defaults: { timeout: 3000 },
    }));
    const answers = await Promise.all(requests.map(pool.parse));
    expect(answers).toEqual(await Promise.all(requests.map(parseHere)));
    expect(answers[0]?.checks[0]?.definition.spec.request.timeoutMs).toBe(3000);
  });
});

describe('many checks of one address', () => {
  const rate = (perMinute: number, more = '') =>
    pressureAdvice(
      definitions(
        read(
          Array.from(
            { length: 30 },
            (_, n) => `shop.example.com/${n}: { cron_schedule: "* * * * * *"${more} }\n`,
          )
            .join('')
            .repeat(1),
        ),
      ).flatMap((check) => Array.from({ length: perMinute }, () => check)),
      'configs',
    );

  it('get advice when their fresh connections would use up the local ports', () => {
    expect(rate(13)).toEqual([]);
    expect(rate(14)).toMatchObject([
      { code: 'I206', message: '420 fresh connections a second to https://shop.example.com' },
    ]);
    expect(rate(14, ', connection: reuse')).toEqual([]);
  });
});
