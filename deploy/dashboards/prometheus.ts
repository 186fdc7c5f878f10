/** contents → queries of Prometheus: a Grafana dashboard, and alert rules. */

import { stringify } from 'yaml';
import {
  type MetricName,
  prometheusName,
  prometheusScale,
} from '../../src/shared/domain/metrics.ts';
import { ALARMS, type Alarm, definitionOf, isCounter, type Line, SECTIONS } from './contents.ts';

/** Prometheus names the process itself. */
const labelOf = (by: string): string => (by === 'host' ? 'instance' : by);

const groupOf = ({ by }: Line): string => (by === undefined ? '' : ` by (${labelOf(by)})`);

/** Counters as what is added within a minute. */
const queryOf = (line: Line): string => {
  const { metric, over } = line;
  const name = prometheusName(metric);
  if (over === 'p99') return `histogram_quantile(0.99, sum by (le) (rate(${name}_bucket[5m])))`;
  if (isCounter(metric)) return `60 * ${over}${groupOf(line)} (rate(${name}[5m]))`;
  return `${over}${groupOf(line)} (${name})`;
};

/** Grafana's names of units. */
const unitOf = (metric: MetricName): string =>
  ({ count: 'short', ms: 's', bytes: 'bytes', ratio: 'percentunit', percent: 'percent', info: '' })[
    definitionOf(metric).unit
  ];

const COLUMNS = 24;
const WIDTH = 8;
const HEIGHT = 7;
const SOURCE = { type: 'prometheus', uid: '${datasource}' };

export const grafanaDashboard = (): object => {
  const panels: object[] = [];
  let y = 0;
  for (const section of SECTIONS) {
    const place = { x: 0, y, w: COLUMNS, h: 1 };
    const row = { type: 'row', title: section.title, collapsed: false, panels: [] };
    panels.push({ id: panels.length + 1, ...row, gridPos: place });
    y += 1;
    section.panels.forEach(({ title, lines }, index) => {
      const [first] = lines;
      const row = Math.floor((index * WIDTH) / COLUMNS);
      panels.push({
        id: panels.length + 1,
        type: 'timeseries',
        title,
        datasource: SOURCE,
        gridPos: { x: (index * WIDTH) % COLUMNS, y: y + row * HEIGHT, w: WIDTH, h: HEIGHT },
        fieldConfig: {
          defaults: { unit: first === undefined ? '' : unitOf(first.metric), min: 0 },
          overrides: [],
        },
        options: { legend: { displayMode: 'list', placement: 'bottom', showLegend: true } },
        targets: lines.map(targetOf),
      });
    });
    y += HEIGHT * Math.ceil((section.panels.length * WIDTH) / COLUMNS);
  }
  return {
    uid: 'watcher',
    title: 'watcher',
    tags: ['watcher'],
    schemaVersion: 39,
    editable: true,
    refresh: '1m',
    time: { from: 'now-6h', to: 'now' },
    templating: {
      list: [{ name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus' }],
    },
    panels,
  };
};

const targetOf = (line: Line, index: number): object => ({
  refId: String.fromCharCode('A'.charCodeAt(0) + index),
  datasource: SOURCE,
  expr: queryOf(line),
  legendFormat: line.by === undefined ? legendOf(line) : `{{${labelOf(line.by)}}}`,
});

const legendOf = ({ metric }: Line): string => metric.split('.').slice(1).join(' ');

/** A group of rules, as `rule_files` of prometheus.yml names them. */
export const prometheusRules = (): string =>
  stringify({ groups: [{ name: 'watcher', rules: ALARMS.map(ruleOf) }] }, { lineWidth: 100 });

/** `scaling-limit-hit` → `WatcherScalingLimitHit` */
export const alertName = ({ id }: Alarm): string =>
  `Watcher${id.replace(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase())}`;

const ruleOf = (alarm: Alarm): object => ({
  alert: alertName(alarm),
  expr: conditionOf(alarm),
  ...(isCounter(alarm.metric) ? {} : { for: `${alarm.minutes}m` }),
  labels: { severity: alarm.severity },
  annotations: { summary: alarm.title, description: alarm.advice },
});

const conditionOf = (alarm: Alarm): string => {
  const { metric, limit, minutes, missing } = alarm;
  const name = prometheusName(metric);
  const value = isCounter(metric)
    ? `${alarm.over}${groupOf(alarm)} (increase(${name}[${minutes}m]))`
    : `${alarm.over}${groupOf(alarm)} (${name})`;
  const known = missing === 'bad' ? `(${value} or vector(0))` : value;
  return 'above' in limit
    ? `${known} > ${limit.above * prometheusScale(metric)}`
    : `${known} < ${limit.below * prometheusScale(metric)}`;
};
