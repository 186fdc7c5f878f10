import { expect, it } from 'vitest';
import { anEmission, TICK } from '../../../support/builders.ts';
import { bodiesOf, destination, itemsOf } from './support.ts';

interface ServiceCheck {
  readonly status: number;
  readonly message?: string;
}

const checksOf = (emissions: Parameters<typeof bodiesOf>[1]) =>
  (bodiesOf(destination('checks'), emissions) as ServiceCheck[][]).flat();

it('tells the status of each run, at the second of the tick', () => {
  expect(checksOf([anEmission({ tick: TICK + 999 }), anEmission({ check: 'b/ü' })])).toEqual([
    {
      check: 'watcher.check',
      host_name: 'watcher',
      tags: ['check:a/', 'env:prod'],
      status: 0,
      timestamp: TICK / 1000,
    },
    {
      check: 'watcher.check',
      host_name: 'watcher',
      tags: ['check:b/ü', 'env:prod'],
      status: 0,
      timestamp: TICK / 1000,
    },
  ]);
});

it.each([
  ['ok', 0],
  ['warning', 1],
  ['critical', 2],
  ['unknown', 3],
] as const)('numbers %s as %i', (status, number) => {
  expect(checksOf([anEmission({ status })])[0]?.status).toBe(number);
});

it('says why, in a line that mails nobody', () => {
  const [check] = checksOf([anEmission({ status: 'critical', reason: 'ask "@team"\n€' })]);
  expect(check?.message).toBe('ask "@\u200bteam"\n€');
  const [long] = checksOf([anEmission({ status: 'critical', reason: 'x'.repeat(9_999) })]);
  expect(long?.message).toHaveLength(500);
});

it('makes calls within the limits, in order, with every item in one of them', () => {
  const checks = destination('checks');
  const emissions = Array.from({ length: 3_000 }, (_, n) =>
    anEmission({ check: `${n}.example/`, status: 'critical', reason: '€'.repeat(n % 400) }),
  );
  expect(checksOf(emissions)).toHaveLength(3_000);
  const calls = checks.encode(itemsOf(emissions));
  expect(calls.length).toBeGreaterThan(1);
  expect(calls.flatMap(({ items }) => items.map(({ seq }) => seq))).toEqual(
    emissions.map((_, seq) => seq),
  );
  // No call is closed early: one more would not have fitted.
  for (const { bytes } of calls.slice(0, -1)) expect(bytes).toBeGreaterThan(397_000);
});
