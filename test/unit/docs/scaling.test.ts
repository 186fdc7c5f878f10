import { describe, it } from 'vitest';
import { METRICS, prometheusName, SCALING_METRICS } from '../../../src/shared/domain/metrics.ts';
import { expectSection, markdownTable } from '../../support/generated-section.ts';

describe('docs/scaling.md', () => {
  it('lists what a leader tells of its pool', async () => {
    const rows = SCALING_METRICS.map((name) => {
      const { unit, help } = METRICS[name];
      return [`\`${name}\``, `\`${prometheusName(name)}\``, unit, help];
    });
    const titles = ['metric', 'in Prometheus', 'unit', 'meaning'];
    await expectSection('docs/scaling.md', 'scaling-metrics', markdownTable(titles, rows));
  });
});
