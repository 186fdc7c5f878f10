/** contents → a Datadog dashboard and monitors, as its API takes them. */

import { metricName } from '../../src/shared/sinks/datadog/names.ts';
import {
  type Alarm,
  isCounter,
  type Line,
  type Panel,
  pushedAlarms,
  pushedSections,
} from './contents.ts';

/** `$pool` and `$host` are chosen at the top of the dashboard. */
const VARIABLES = ['pool', 'host'] as const;

const queryOf = (line: Line, scope: string): string => {
  const { metric, over, by } = line;
  const grouped = by === undefined ? '' : ` by {${by}}`;
  const counted = isCounter(metric) ? '.as_count()' : '';
  return `${over}:${metricName(metric)}{${scope}}${grouped}${counted}`;
};

const scopeOf = ({ by }: Line): string => (by === 'pool' ? '$pool' : '$host');

export const datadogDashboard = (): object => ({
  title: 'watcher',
  description: 'Whether the checks are on time, the pool has room, and results arrive.',
  layout_type: 'ordered',
  template_variables: VARIABLES.map((name) => ({
    name,
    prefix: name,
    available_values: [],
    defaults: ['*'],
  })),
  widgets: pushedSections().map(({ title, panels }) => ({
    definition: {
      type: 'group',
      title,
      layout_type: 'ordered',
      widgets: panels.map((panel) => ({ definition: definitionOf(panel) })),
    },
  })),
});

const definitionOf = ({ title, lines }: Panel): object => ({
  type: 'timeseries',
  title,
  show_legend: true,
  legend_layout: 'auto',
  requests: [
    {
      response_format: 'timeseries',
      display_type: 'line',
      queries: lines.map((line, index) => ({
        data_source: 'metrics',
        name: `query${index + 1}`,
        query: queryOf(line, scopeOf(line)),
      })),
      formulas: lines.map((_, index) => ({ formula: `query${index + 1}` })),
    },
  ],
});

/** Twice the window at least, or a quiet minute is taken for silence. */
const NO_DATA_MINUTES = 10;

export const datadogMonitors = (): readonly object[] =>
  pushedAlarms().map((alarm) => ({
    name: `[watcher] ${alarm.title}`,
    type: 'query alert',
    query: `${windowOf(alarm)}:${queryOf(alarm, '*')} ${comparisonOf(alarm)}`,
    message: `${alarm.title}. ${alarm.advice}`,
    tags: ['service:watcher', `alarm:${alarm.id}`],
    priority: alarm.severity === 'critical' ? 1 : 3,
    options: {
      thresholds: { critical: limitOf(alarm) },
      require_full_window: false,
      include_tags: true,
      notify_no_data: alarm.missing === 'bad',
      ...(alarm.missing === 'bad' ? { no_data_timeframe: NO_DATA_MINUTES } : {}),
    },
  }));

/** Points come once a minute: in a shorter window there may be none. */
const LEAST_MINUTES = 2;

/** A gauge has to be beyond its limit all the time: its least value, or its greatest, is looked at. */
const windowOf = (alarm: Alarm): string => {
  const minutes = Math.max(LEAST_MINUTES, alarm.minutes);
  if (isCounter(alarm.metric)) return `sum(last_${minutes}m)`;
  return `${'above' in alarm.limit ? 'min' : 'max'}(last_${minutes}m)`;
};

const comparisonOf = (alarm: Alarm): string =>
  `${'above' in alarm.limit ? '>' : '<'} ${limitOf(alarm)}`;

const limitOf = ({ limit }: Alarm): number => ('above' in limit ? limit.above : limit.below);
