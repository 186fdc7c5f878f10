import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  ALARMS,
  type Alarm,
  definitionOf,
  isCounter,
  isPushed,
  isScaling,
  SECTIONS,
} from '../../../deploy/dashboards/contents.ts';
import { filesOf, USUAL_NAMES } from '../../../deploy/dashboards/generate.ts';
import { SETTINGS } from '../../../src/shared/config/settings-table.ts';
import { SINK_SCHEMAS } from '../../../src/shared/config/sinks-schema.ts';
import { expectSection, markdownTable } from '../../support/generated-section.ts';
import { inCloudWatch, inDatadog, inPrometheus, NAMESPACE, POOL, signature } from './emitted.ts';

const FOLDER = path.resolve(import.meta.dirname, '../../../deploy/dashboards');
const FILES = filesOf(USUAL_NAMES);

const kept = async (name: string): Promise<string> => readFile(path.join(FOLDER, name), 'utf8');
const keptJson = async <T>(name: string): Promise<T> => JSON.parse(await kept(name)) as T;

/** All texts in it, however deep. */
const textsIn = (value: unknown): readonly string[] => {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(textsIn);
};

const missing = (names: Iterable<string>, among: { has(name: string): boolean }): string[] =>
  [...new Set(names)].filter((name) => !among.has(name));

describe('deploy/dashboards', () => {
  it.each([...FILES])('%s is what the generator makes', async (name, text) => {
    if (process.env['UPDATE_DOCS'] === '1') await writeFile(path.join(FOLDER, name), text);
    expect(await kept(name), `${name} is out of date: UPDATE_DOCS=1 writes it`).toBe(text);
  });

  it('takes the names that the settings have by default', () => {
    const { namespace } = SINK_SCHEMAS.cloudwatch.parse({ kind: 'cloudwatch' });
    expect([USUAL_NAMES.namespace, NAMESPACE]).toEqual([namespace, namespace]);
    expect([USUAL_NAMES.pool, POOL]).toEqual(Array(2).fill(SETTINGS['scaling.pool'].default));
  });

  it('watches each alarm that operators need, once', () => {
    const ids = ALARMS.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(
      expect.arrayContaining([
        'scaling-limit-hit',
        'jobs-waiting',
        'late',
        'worker-lost',
        'unaccounted',
        'sink-failing',
        'config-errors',
        'no-leader',
      ]),
    );
  });

  it('shows no panel with two units', () => {
    for (const { title, lines } of SECTIONS.flatMap(({ panels }) => panels)) {
      expect(new Set(lines.map(({ metric }) => definitionOf(metric).unit)).size, title).toBe(1);
    }
  });
});

/** `SELECT MAX("name") FROM SCHEMA("namespace", "dimension", …)` → `name{dimension,…}` */
const queried = (text: string): string => {
  const [, name = '', schema = ''] =
    /^SELECT \w+\("([^"]+)"\) FROM SCHEMA\(([^)]*)\)/.exec(text) ?? [];
  const [namespace, ...dimensions] = schema.split(', ').map((quoted) => quoted.slice(1, -1));
  expect(namespace).toBe(NAMESPACE);
  return signature(name, dimensions);
};

interface Widget {
  readonly type: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly properties: { readonly metrics?: readonly (readonly unknown[])[] };
}

interface PutAlarm {
  readonly AlarmName: string;
  readonly MetricName?: string;
  readonly Namespace?: string;
  readonly Dimensions?: readonly { readonly Name: string; readonly Value: string }[];
  readonly Metrics?: readonly { readonly Expression: string }[];
}

/** What a dashboard of CloudWatch reads of one line. */
const drawn = (entry: readonly unknown[]): string => {
  const [first] = entry;
  if (typeof first === 'object') return queried((first as { expression: string }).expression);
  const [namespace, name, ...rest] = entry as readonly string[];
  expect(namespace).toBe(NAMESPACE);
  const pairs = rest.slice(0, -1);
  return signature(
    name ?? '',
    pairs.filter((_, index) => index % 2 === 0),
  );
};

describe('the files for CloudWatch', () => {
  it('draw and watch only metrics that are put, with exactly the dimensions they are put with', async () => {
    const { widgets } = await keptJson<{ widgets: Widget[] }>('cloudwatch-dashboard.json');
    const alarms = await keptJson<PutAlarm[]>('cloudwatch-alarms.json');
    const lines = widgets.flatMap(({ properties }) => properties.metrics ?? []).map(drawn);
    const watched = alarms.map(({ MetricName, Dimensions = [], Metrics = [] }) =>
      MetricName === undefined
        ? queried(Metrics[0]?.Expression ?? '')
        : signature(
            MetricName,
            Dimensions.map(({ Name }) => Name),
          ),
    );
    expect(lines.length).toBeGreaterThan(15);
    expect(watched.length).toBeGreaterThan(8);
    expect(missing([...lines, ...watched], inCloudWatch())).toEqual([]);
  });

  it('name the pool where the leader names it', async () => {
    const alarms = await keptJson<PutAlarm[]>('cloudwatch-alarms.json');
    const ofPool = alarms.filter(({ Namespace }) => Namespace === NAMESPACE);
    expect(ofPool.length).toBeGreaterThan(4);
    for (const { Dimensions } of ofPool)
      expect(Dimensions).toEqual([{ Name: 'pool', Value: POOL }]);
  });

  it('follow the dimensions of a sink that has some', () => {
    const names = { ...USUAL_NAMES, dimensions: { Stage: 'prod' } };
    const alarms = JSON.parse(filesOf(names).get('cloudwatch-alarms.json') ?? '') as PutAlarm[];
    const emitted = inCloudWatch(names.dimensions);
    for (const { MetricName, Dimensions = [], Metrics } of alarms) {
      const watched =
        MetricName === undefined
          ? queried(Metrics?.[0]?.Expression ?? '')
          : signature(
              MetricName,
              Dimensions.map(({ Name }) => Name),
            );
      expect(missing([watched], emitted)).toEqual([]);
    }
  });

  it('lay widgets beside each other within 24 columns', async () => {
    const { widgets } = await keptJson<{ widgets: Widget[] }>('cloudwatch-dashboard.json');
    const cells = new Set<string>();
    for (const { x, y, width, height } of widgets) {
      expect(x + width).toBeLessThanOrEqual(24);
      for (let dx = 0; dx < width; dx += 1)
        for (let dy = 0; dy < height; dy += 1) {
          const cell = `${x + dx},${y + dy}`;
          expect(cells.has(cell), `${cell} is covered twice`).toBe(false);
          cells.add(cell);
        }
    }
  });
});

/** `max:name{scope} by {tag}.as_count()`, wherever it stands in a text. */
const DATADOG_QUERY = /(?:sum|max|avg):([\w.]+)\{([^}]*)\}(?: by \{(\w+)\})?/g;

describe('the files for Datadog', () => {
  it.each(['datadog-dashboard.json', 'datadog-monitors.json'])(
    '%s asks only for metrics that are sent, by tags that they have',
    async (name) => {
      const sent = inDatadog();
      const asked = textsIn(await keptJson(name)).flatMap((text) => [
        ...text.matchAll(DATADOG_QUERY),
      ]);
      expect(asked.length).toBeGreaterThan(8);
      for (const [query, metric = '', scope = '', by] of asked) {
        const tags = sent.get(metric);
        expect(tags, `${metric} is not sent`).toBeDefined();
        const needed = [by, /^\$(\w+)$/.exec(scope)?.[1]].filter((tag) => tag !== undefined);
        expect(missing(needed, tags ?? new Set()), query).toEqual([]);
      }
    },
  );

  it('give each monitor the threshold that stands in its query', async () => {
    interface Monitor {
      readonly query: string;
      readonly options: { readonly thresholds: { readonly critical: number } };
    }
    for (const { query, options } of await keptJson<Monitor[]>('datadog-monitors.json')) {
      expect(query).toMatch(/^(?:sum|min|max)\(last_\d+m\):/);
      expect(Number(query.split(' ').at(-1))).toBe(options.thresholds.critical);
    }
  });
});

/** Names and labels of a query of PromQL; `le` belongs to histograms. */
const prometheusParts = (query: string) => ({
  names: [...query.matchAll(/\bwatcher_\w+/g)].map(([name]) => name),
  labels: [...query.matchAll(/\bby \(([^)]*)\)/g)].map(([, label = '']) => label),
});

describe('the files for Prometheus', () => {
  it.each(['grafana-dashboard.json', 'prometheus-rules.yml'])(
    '%s asks only for series that are exposed, by labels that they have',
    async (name) => {
      const exposed = await inPrometheus();
      const content = name.endsWith('.yml') ? parse(await kept(name)) : await keptJson(name);
      const queries = textsIn(content).filter((text) => /\bwatcher_\w/.test(text));
      expect(queries.length).toBeGreaterThan(10);
      for (const query of queries) {
        const { names, labels } = prometheusParts(query);
        expect(missing(names, exposed), query).toEqual([]);
        const known = exposed.get(names[0] ?? '') ?? new Set();
        expect(missing(labels, known), query).toEqual([]);
      }
    },
  );
});

describe('docs/deploy.md', () => {
  it('lists every alarm', async () => {
    const limitOf = ({ metric, limit, minutes }: Alarm): string => {
      const within = isCounter(metric) ? `within ${minutes} min` : `for ${minutes} min`;
      const amount = 'above' in limit ? `above ${limit.above}` : `below ${limit.below}`;
      return `${amount}${definitionOf(metric).unit === 'ms' ? ' ms' : ''} ${within}`;
    };
    const rows = ALARMS.map((alarm) => [
      `\`${alarm.id}\``,
      `${alarm.title}${isScaling(alarm.metric) ? ' (pool)' : ''}`,
      `\`${alarm.metric}\` ${limitOf(alarm)}${alarm.missing === 'bad' ? ', or missing' : ''}`,
      alarm.advice,
      isPushed(alarm) ? 'all' : 'Prometheus',
    ]);
    const titles = ['alarm', 'what has happened', 'when', 'what to do', 'where'];
    await expectSection('docs/deploy.md', 'alarms', markdownTable(titles, rows));
  });
});
