import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { frameOf, LiveTable } from '../../../src/cli/live-table.ts';
import type { CheckView } from '../../../src/shared/domain/status.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { aView, sourceOf } from '../../support/views.ts';

const ESCAPE = '\u001b[';
const ERASE = `${ESCAPE}0J`;

const aTerminal = (columns = 80, rows = 24) => Object.assign(new PassThrough(), { columns, rows });

const VIEWS: readonly CheckView[] = [
  aView({ check: 'a/ok' }),
  aView({ check: 'b/new', status: 'pending', durationMs: null, latenessMs: null, nextTick: 5000 }),
  aView({ check: 'c/down', status: 'critical', reason: 'status is not "ok"', durationMs: 1234 }),
  aView({ check: 'd/blind', status: 'unknown', reason: 'the resolver\u001b[2J does\nnot answer' }),
];

describe('a frame', () => {
  it('shows the checks worst first', () => {
    expect(frameOf(sourceOf(VIEWS), { now: 0, terminal: aTerminal() })).toEqual([
      '1 critical, 1 unknown, 1 pending, 1 ok',
      'STATUS    CHECK     LAST    LATE  NEXT      REASON',
      'critical  c/down   1.2 s  1.0 ms  -         status is not "ok"',
      'unknown   d/blind  12 ms  1.0 ms  -         the resolver does not answer',
      'pending   b/new        -       -  in 5.0 s',
      'ok        a/ok     12 ms  1.0 ms  -',
    ]);
  });

  it.each([
    [40, 10],
    [60, 6],
    [20, 5],
    [200, 50],
  ])('fits a terminal of %i columns and %i rows', (columns, rows) => {
    const views = Array.from({ length: 30 }, (_, n) =>
      aView({ check: `service-${n}.example.com/health` }),
    );
    const lines = frameOf(sourceOf(views), { now: 0, terminal: aTerminal(columns, rows) });
    expect(lines.length).toBeLessThan(rows);
    for (const line of lines.slice(1, -1)) expect(line.length).toBeLessThanOrEqual(columns);
  });

  it('says how many checks it has no room for', () => {
    const views = Array.from({ length: 30 }, (_, n) => aView({ check: `c${n}` }));
    const lines = frameOf(sourceOf(views), { now: 0, terminal: aTerminal(80, 10) });
    expect(lines.at(-1)).toBe('and 24 more: watcher status');
  });
});

const drawn = (terminal: PassThrough): string[] =>
  [...String(terminal.read() ?? '').matchAll(/\d+ (ok|critical)/g)].map((match) => match[0]);

describe('the live table', () => {
  const begin = () => {
    const clock = new ManualClock();
    const terminal = aTerminal();
    const table = new LiveTable({ source: sourceOf([aView()]), clock, terminal });
    return { clock, terminal, table };
  };

  it('is drawn four times a second at most, however much happens', async () => {
    const { clock, terminal, table } = begin();
    await clock.advance(0);
    terminal.read();
    for (let ms = 0; ms < 1000; ms++) {
      table.changed();
      await clock.advance(1);
    }
    expect(drawn(terminal)).toHaveLength(4);
  });

  it('is drawn once a second while nothing happens, for the countdown', async () => {
    const { clock, terminal } = begin();
    await clock.advance(0);
    terminal.read();
    await clock.advance(3000);
    expect(drawn(terminal)).toHaveLength(3);
  });

  it('goes up over itself, and not over what was there before', async () => {
    const { clock, terminal, table } = begin();
    await clock.advance(0);
    expect(String(terminal.read())).not.toContain(ERASE);
    table.changed();
    await clock.advance(250);
    expect(String(terminal.read())).toContain(`${ESCAPE}3A\r${ERASE}`);
  });

  it('keeps a log line above itself', async () => {
    const { clock, terminal, table } = begin();
    await clock.advance(0);
    terminal.read();
    table.note('something happened\n');
    const text = String(terminal.read());
    expect(text.startsWith(`${ESCAPE}3A\r${ERASE}something happened\n`)).toBe(true);
    expect(stripVTControlCharacters(text)).toContain('1 ok\n');
  });

  it('gives the cursor back and draws no more when it is disposed of', async () => {
    const { clock, terminal, table } = begin();
    await clock.advance(0);
    table[Symbol.dispose]();
    expect(String(terminal.read()).endsWith(`${ESCAPE}?25h`)).toBe(true);
    await clock.advance(10_000);
    expect(terminal.read()).toBeNull();
  });
});
