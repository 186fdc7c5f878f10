import { describe, it } from 'vitest';
import { EXIT } from '../../../src/cli/exit-codes.ts';
import {
  METRICS,
  type MetricDefinition,
  type MetricName,
  prometheusName,
} from '../../../src/shared/domain/metrics.ts';
import { expectSection, markdownTable } from '../../support/generated-section.ts';

const PAGE = 'docs/operations.md';

const labelText = ([label, values]: [string, readonly string[]]): string =>
  values.length === 0 ? `\`${label}\`` : `\`${label}\`: ${values.join(', ')}`;

describe('docs/operations.md', () => {
  it('lists every metric', async () => {
    const rows = (Object.entries(METRICS) as [MetricName, MetricDefinition][]).map(
      ([name, { kind, labels, help }]) => [
        `\`${name}\``,
        `\`${prometheusName(name)}\``,
        kind,
        Object.entries(labels).map(labelText).join('; '),
        help,
      ],
    );
    const titles = ['metric', 'in Prometheus', 'kind', 'labels', 'meaning'];
    await expectSection(PAGE, 'metrics', markdownTable(titles, rows));
  });

  it('explains every exit code', async () => {
    const meaning: Record<keyof typeof EXIT, string> = {
      ok: 'all is well',
      bad: 'a check is critical or warning, a file has errors, watcher is degraded, a sink fails its test',
      usage: 'the command line, the environment or the settings are wrong',
      unreachable: 'no watcher answers at the address, or its store does not',
      partial: 'something could not be found out: a check is unknown, vanished checks are kept',
      defect: 'a defect of watcher: please report what it printed',
    };
    const rows = Object.entries(EXIT).map(([name, code]) => [
      String(code),
      meaning[name as keyof typeof EXIT],
    ]);
    const signals = [
      ['130, 143', 'ended by a second SIGINT or SIGTERM, or because stopping took too long'],
    ];
    await expectSection(
      PAGE,
      'exit-codes',
      markdownTable(['exit code', 'meaning'], [...rows, ...signals]),
    );
  });
});
