/**
 * Writes the dashboards and alarms of this folder from contents.ts and the list of metrics:
 *
 *   node deploy/dashboards/generate.ts [--out DIR] [--namespace NAME] [--pool NAME] [--region REGION]
 *     [--dimension NAME=VALUE]...
 *
 * Without flags it makes the files that are kept here, which a test compares.
 */

import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type CloudWatchNames, cloudWatchAlarms, cloudWatchDashboard } from './cloudwatch.ts';
import { datadogDashboard, datadogMonitors } from './datadog.ts';
import { grafanaDashboard, prometheusRules } from './prometheus.ts';

/** The defaults of the settings. */
export const USUAL_NAMES: CloudWatchNames = {
  namespace: 'Watcher',
  dimensions: {},
  pool: 'watcher',
  region: 'us-east-1',
};

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

const RULES_HEAD = '# Made by deploy/dashboards/generate.ts: change contents.ts instead.\n';

/** Name of the file → its text. */
export const filesOf = (names: CloudWatchNames): ReadonlyMap<string, string> =>
  new Map([
    ['cloudwatch-dashboard.json', json(cloudWatchDashboard(names))],
    ['cloudwatch-alarms.json', json(cloudWatchAlarms(names))],
    ['datadog-dashboard.json', json(datadogDashboard())],
    ['datadog-monitors.json', json(datadogMonitors())],
    ['grafana-dashboard.json', json(grafanaDashboard())],
    ['prometheus-rules.yml', RULES_HEAD + prometheusRules()],
  ]);

const pairOf = (text: string): readonly [string, string] => {
  const [name = '', ...value] = text.split('=');
  return [name, value.join('=')];
};

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: import.meta.dirname },
      namespace: { type: 'string', default: USUAL_NAMES.namespace },
      pool: { type: 'string', default: USUAL_NAMES.pool },
      region: { type: 'string', default: USUAL_NAMES.region },
      dimension: { type: 'string', multiple: true, default: [] },
    },
  });
  const { out, dimension, ...names } = values;
  const dimensions = Object.fromEntries(dimension.map(pairOf));
  for (const [name, text] of filesOf({ ...names, dimensions }))
    await writeFile(path.join(out, name), text);
}
