import { expect, it } from 'vitest';
import type { Result, Status } from '../../../../src/shared/domain/result.ts';
import { anEmission, TICK } from '../../../support/builders.ts';
import { bodiesOf, destination, itemsOf } from './support.ts';

const change = (to: Status, overrides: Partial<Result> = {}) => {
  const reason = to === 'ok' ? null : 'why';
  const result = { status: to, reason, ...overrides };
  return anEmission(result, { from: 'warning', to, at: TICK, reason: result.reason });
};

const eventOf = (emission: ReturnType<typeof change>) =>
  bodiesOf(destination('events'), [emission])[0] as Readonly<Record<string, string>>;

it('tells of a change, grouped by check, at the second of the tick', () => {
  expect(eventOf(change('critical', { tick: TICK + 999 }))).toEqual({
    title: 'a/ is critical',
    text: 'before: warning\ncritical: why',
    alert_type: 'error',
    aggregation_key: 'id-of-a',
    date_happened: TICK / 1000,
    source_type_name: 'watcher',
    tags: ['check:a/', 'env:prod', 'status:critical'],
  });
  expect(eventOf(change('ok'))['text']).toBe('before: warning\nok');
});

it.each([
  ['ok', 'success'],
  ['warning', 'warning'],
  ['critical', 'error'],
  ['unknown', 'warning'],
] as const)('alerts of a change to %s as %s', (to, alertType) => {
  expect(eventOf(change(to))['alert_type']).toBe(alertType);
});

it('lets no target write mail or markup', () => {
  const { title, text } = eventOf(
    change('critical', { check: 'a/@team', reason: '%%% @pagerduty <b>[x](y)' }),
  );
  expect(title).toBe('a/@\u200bteam is critical');
  expect(text).toBe(
    'before: warning\ncritical: %\u200b%\u200b% @\u200bpagerduty <\u200bb>[x]\u200b(y)',
  );
});

it('cuts a long reason', () => {
  expect(eventOf(change('critical', { reason: '€'.repeat(9_999) }))['text']).toHaveLength(4_000);
});

it('makes one call of each, in order', () => {
  const events = destination('events');
  const calls = events.encode(itemsOf([change('critical'), change('ok'), change('critical')]));
  expect(calls.map(({ items }) => items.map(({ seq }) => seq))).toEqual([[0], [1], [2]]);
  expect(events.maxItems).toBe(1);
});
