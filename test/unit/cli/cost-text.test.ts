import { expect, it } from 'vitest';
import { costText } from '../../../src/cli/cost-text.ts';
import { sizeText } from '../../../src/cli/size-text.ts';
import type { CostReport, DestinationCost } from '../../../src/shared/rules/cost-report.ts';

const aRow = (overrides: Partial<DestinationCost> = {}): DestinationCost => ({
  sink: 'post_endpoint',
  where: 'https://a.example',
  checks: 1200,
  customMetrics: 0,
  calls: 51_840_000,
  bytes: null,
  ...overrides,
});

const aReport = (...destinations: readonly DestinationCost[]): CostReport => ({
  checks: 1200,
  runs: 51_840_000,
  workers: 1,
  destinations,
});

it('shows a line a destination, and only the notes that are about it', () => {
  expect(costText(aReport(aRow()))).toBe(`1,200 checks, 51,840,000 runs in 30 days

SINK           WHERE              CHECKS  CUSTOM METRICS       CALLS
post_endpoint  https://a.example   1,200               -  51,840,000

All of it for one process; several gather calls apart: --workers N.
Most sinks bill custom metrics and calls: see their price lists.
`);
});

it('shows files in bytes, metrics, and calls that nobody can foresee', () => {
  const text = costText(
    aReport(
      aRow({ sink: 'datadog events', calls: null }),
      aRow({ sink: 'cloudwatch', customMetrics: 2430 }),
      aRow({ sink: 'jsonl', calls: 0, bytes: 3 * 1024 ** 3 }),
    ),
  );
  expect(text).toContain('WRITTEN');
  expect(text).toMatch(/^datadog events .* 1 a change +-$/m);
  expect(text).toMatch(/^cloudwatch .* 2,430 /m);
  expect(text).toMatch(/^jsonl .* - {2}about 3\.0 GiB$/m);
  expect(text).toContain('one call for each change of a status');
  expect(text).toContain('about watcher itself');
});

it('says for how many processes it is', () => {
  const text = costText({ ...aReport(aRow()), workers: 3 });
  expect(text).toContain('runs in 30 days, shared by 3 processes\n');
  expect(text).toContain('at most');
  expect(text).not.toContain('--workers');
});

it('says when nothing is sent anywhere', () => {
  expect(costText({ ...aReport(), checks: 1, runs: 30 })).toBe(
    '1 check, 30 runs in 30 days\nNothing is sent anywhere: the settings name no sink, and no check posts.\n',
  );
});

it.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1536, '1.5 KiB'],
  [2 ** 40 * 5000, '5000.0 TiB'],
])('shows %i bytes as %s', (bytes, text) => {
  expect(sizeText(bytes)).toBe(text);
});
