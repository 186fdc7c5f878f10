import { describe, it } from 'vitest';
import { DROP_REASONS, type DropReason } from '../../../src/shared/domain/delivery.ts';
import { METRICS, PUSHED_METRICS } from '../../../src/shared/domain/metrics.ts';
import type { SinkSettings } from '../../../src/shared/domain/sink-settings.ts';
import { createSecrets } from '../../../src/shared/secrets/resolve.ts';
import type { Destination, DestinationContext } from '../../../src/shared/sinks/destination.ts';
import { destinationsOf } from '../../../src/shared/sinks/kinds.ts';
import { postsOf } from '../../../src/shared/sinks/posts.ts';
import { expectSection, markdownTable } from '../../support/generated-section.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const PAGE = 'docs/sinks.md';

const REGION = 'eu-central-1';
const SINKS: readonly SinkSettings[] = [
  {
    kind: 'datadog',
    site: 'datadoghq.com',
    apiKey: '${env:KEY}',
    tags: [],
    metrics: ['success', 'duration_ms'],
    events: true,
    serviceChecks: true,
  },
  {
    kind: 'cloudwatch',
    region: REGION,
    namespace: 'Watcher',
    dimensions: {},
    metrics: ['success', 'duration_ms'],
  },
  { kind: 'eventbridge', region: REGION, bus: 'default', source: 'watcher' },
  { kind: 'jsonl', path: 'FILE', maxBytes: 64 * 1024 ** 2, keep: 5 },
  { kind: 'webhook', url: 'https://HOST/', headers: [], on: 'every', body: {} },
];

const destinations = (): readonly Destination[] => {
  const clock = new ManualClock();
  const secrets = createSecrets({ clock, env: {} });
  const context = { clock, secrets, connectTo: () => null } as unknown as DestinationContext;
  const posts = postsOf(
    {
      endpoint: { url: 'https://HOST/', body: {} },
      service: { service: 'aws-cloudwatch', region: REGION, source: 's', detailType: 't' },
      on: 'every',
    },
    context,
  );
  return [
    ...SINKS.flatMap((sink) => destinationsOf(sink, context)),
    ...posts.map(({ destination }) => destination),
  ];
};

const durationText = (ms: number): string => {
  if (ms < 1000) return `${ms} ms`;
  if (ms < 60_000) return `${ms / 1000} s`;
  if (ms < 3_600_000) return `${ms / 60_000} min`;
  if (ms <= 86_400_000) return `${Math.floor(ms / 360_000) / 10} h`;
  return `${Math.floor(ms / 8_640_000) / 10} d`;
};

describe('docs/sinks.md', () => {
  it('has the limits of each destination', async () => {
    const rows = destinations().map((one) => [
      one.label.replace(/ (?:host|file)$/i, (place) => ` ${place.trim().toUpperCase()}`),
      durationText(one.windowMs),
      String(one.maxItems),
      `${Math.round(one.maxCallBytes / 1000)} kB`,
      String(one.concurrency),
      durationText(one.maxAgeMs),
    ]);
    const titles = ['name', 'window', 'items', 'bytes', 'calls at a time', 'oldest'];
    await expectSection(PAGE, 'limits', markdownTable(titles, rows));
  });

  it('explains every reason for a drop', async () => {
    const toDo: Record<DropReason, string> = {
      window: 'the sink was down for longer than it takes old results: see its error in the log',
      size: 'make what is posted shorter',
      refused: 'the log quotes the sink: correct what is posted',
      overflow: 'bring the sink back, or give the state folder a disk with room',
      shutdown: 'set `state`',
      unreadable: 'look at the disk of the state folder',
    };
    const rows = Object.entries(DROP_REASONS).map(([reason, meaning]) => [
      `\`${reason}\``,
      meaning,
      toDo[reason as DropReason],
    ]);
    await expectSection(
      PAGE,
      'drop-reasons',
      markdownTable(['reason', 'meaning', 'what to do'], rows),
    );
  });

  it('lists what watcher tells of itself', async () => {
    const rows = Object.entries(PUSHED_METRICS).map(([name, labels]) => [
      `\`${name}\``,
      labels.map((label) => `\`${label}\``).join(', '),
      METRICS[name as keyof typeof PUSHED_METRICS].help,
    ]);
    await expectSection(PAGE, 'own-metrics', markdownTable(['metric', 'by', 'meaning'], rows));
  });
});
