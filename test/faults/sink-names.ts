/** The sinks of a row, by what people call them. */

import type { SinkView } from '../../src/shared/domain/status.ts';

export const SINK_NAMES = [
  'datadog series',
  'datadog events',
  'datadog service checks',
  'cloudwatch',
  'eventbridge',
  'jsonl',
  'webhook',
  'post',
] as const;
export type SinkName = (typeof SINK_NAMES)[number];

/** As the destinations have them. */
export const WINDOW_MS: Readonly<Record<SinkName, number>> = {
  'datadog series': 10_000,
  'datadog events': 250,
  'datadog service checks': 10_000,
  cloudwatch: 60_000,
  eventbridge: 1_000,
  jsonl: 1_000,
  webhook: 50,
  post: 50,
};

/** The views of files and posts name path or host, too. */
export const viewOf = (name: SinkName, views: readonly SinkView[]): SinkView | undefined =>
  views.find(({ sink }) => sink === name || sink.startsWith(`${name} `));

/** Who shares an address. */
export const HOSTS = ['datadog', 'aws', 'webhook'] as const;
export type Host = (typeof HOSTS)[number];
