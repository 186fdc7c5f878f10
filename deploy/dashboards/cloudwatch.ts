/**
 * contents → the body of a CloudWatch dashboard, and the input of PutMetricAlarm for each alarm. Names
 * and dimensions are made by the code that puts the metrics.
 */

import type { PutMetricAlarmCommandInput } from '@aws-sdk/client-cloudwatch';
import type { SelfSample } from '../../src/shared/domain/delivery.ts';
import { METRICS, type MetricName } from '../../src/shared/domain/metrics.ts';
import { selfPoints } from '../../src/shared/sinks/aws/cloudwatch-points.ts';
import {
  type Alarm,
  isCounter,
  isScaling,
  keptLabels,
  type Line,
  lineName,
  type Panel,
  pushedAlarms,
  pushedSections,
} from './contents.ts';

/** As in the settings: of the cloudwatch sink, and `scaling.pool`. */
export interface CloudWatchNames {
  readonly namespace: string;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly pool: string;
  readonly region: string;
}

interface Dimension {
  readonly Name: string;
  readonly Value: string;
}

interface Put {
  readonly MetricName: string;
  readonly Dimensions: readonly Dimension[];
}

/** The metric as the sink puts it. */
const putOf = (metric: MetricName, { dimensions, pool }: CloudWatchNames): Put => {
  const labels = Object.fromEntries(keptLabels(metric).map((label) => [label, pool]));
  const sample: SelfSample = {
    name: metric,
    kind: isCounter(metric) ? 'count' : 'gauge',
    unit: METRICS[metric].unit as SelfSample['unit'],
    labels,
    value: 0,
  };
  const own = isScaling(metric) ? dimensions : { ...dimensions, host: '*' };
  const [point] = selfPoints([sample], own);
  if (point === undefined) throw new Error(`${metric} has too many dimensions for CloudWatch`);
  return JSON.parse(`${point.head}}`) as Put;
};

/** Over all processes, as many as there are at the time. */
const queryOf = (line: Line, names: CloudWatchNames): string => {
  const { MetricName, Dimensions } = putOf(line.metric, names);
  const quoted = (text: string): string => `"${text}"`;
  const schema = [names.namespace, ...Dimensions.map(({ Name }) => Name)].map(quoted).join(', ');
  const where = Object.entries(names.dimensions).map(([name, value]) => `"${name}" = '${value}'`);
  return [
    `SELECT ${line.over.toUpperCase()}("${MetricName}") FROM SCHEMA(${schema})`,
    ...(where.length > 0 ? [`WHERE ${where.join(' AND ')}`] : []),
    ...(line.by === undefined ? [] : [`GROUP BY "${line.by}"`]),
  ].join(' ');
};

const COLUMNS = 24;
const WIDTH = 8;
const HEIGHT = 6;

export const cloudWatchDashboard = (names: CloudWatchNames): object => {
  const widgets: object[] = [];
  let y = 0;
  for (const { title, panels } of pushedSections()) {
    const header = { markdown: `## ${title}` };
    widgets.push({ type: 'text', x: 0, y, width: COLUMNS, height: 1, properties: header });
    y += 1;
    panels.forEach((panel, index) => {
      const place = { x: (index * WIDTH) % COLUMNS, y: y + HEIGHT * rowOf(index) };
      const properties = propertiesOf(panel, names);
      widgets.push({ type: 'metric', ...place, width: WIDTH, height: HEIGHT, properties });
    });
    y += HEIGHT * (rowOf(panels.length - 1) + 1);
  }
  return { widgets };
};

const rowOf = (index: number): number => Math.floor((index * WIDTH) / COLUMNS);

const propertiesOf = ({ title, lines }: Panel, names: CloudWatchNames): object => ({
  title,
  region: names.region,
  view: 'timeSeries',
  period: 60,
  yAxis: { left: { min: 0 } },
  metrics: lines.map((line, index) => drawnOf(line, names, `m${index + 1}`)),
});

const drawnOf = (line: Line, names: CloudWatchNames, id: string): readonly unknown[] => {
  const { metric } = line;
  if (!isScaling(metric))
    return [{ expression: queryOf(line, names), id, ...labelOf(line), period: 60 }];
  const { MetricName, Dimensions } = putOf(metric, names);
  const pairs = Dimensions.flatMap(({ Name, Value }) => [Name, Value]);
  return [names.namespace, MetricName, ...pairs, { id, label: lineName(line), stat: 'Maximum' }];
};

/** Grouped lines are named by their group. */
const labelOf = (line: Line): { readonly label?: string } =>
  line.by === undefined ? { label: lineName(line) } : {};

type AlarmInput = PutMetricAlarmCommandInput & { readonly AlarmName: string };

export const cloudWatchAlarms = (names: CloudWatchNames): readonly AlarmInput[] =>
  pushedAlarms().map((alarm) => ({
    AlarmName: `watcher-${alarm.id}`,
    AlarmDescription: `${alarm.title}. ${alarm.advice}`,
    ...comparisonOf(alarm),
    TreatMissingData: alarm.missing === 'bad' ? 'breaching' : 'notBreaching',
    ...watchedOf(alarm, names),
  }));

const comparisonOf = ({ limit }: Alarm): Pick<AlarmInput, 'ComparisonOperator' | 'Threshold'> =>
  'above' in limit
    ? { ComparisonOperator: 'GreaterThanThreshold', Threshold: limit.above }
    : { ComparisonOperator: 'LessThanThreshold', Threshold: limit.below };

/** A counter is summed over one long period, a gauge looked at in each minute. */
const watchedOf = (alarm: Alarm, names: CloudWatchNames): Partial<AlarmInput> => {
  const isSummed = isCounter(alarm.metric);
  const period = isSummed ? alarm.minutes * 60 : 60;
  const periods = { EvaluationPeriods: isSummed ? 1 : alarm.minutes };
  if (isScaling(alarm.metric)) {
    const { MetricName, Dimensions } = putOf(alarm.metric, names);
    const metric = { Namespace: names.namespace, MetricName, Dimensions: [...Dimensions] };
    return { ...metric, Statistic: 'Maximum', Period: period, ...periods };
  }
  // Alarms of several series need an order; one that watches the worst of all needs none.
  const { by: _, ...line } = alarm;
  const Expression = queryOf(line, names);
  return { Metrics: [{ Id: 'q1', Expression, Period: period, ReturnData: true }], ...periods };
};
