/** What /metrics and self reports read of parts that keep their own counts. */

import type { Catalogue } from './shared/domain/catalogue.ts';
import type { Severity } from './shared/domain/diagnostic.ts';
import { SUCCESS } from './shared/domain/sink-settings.ts';
import {
  CHECK_STATUSES,
  type CheckView,
  type SinkView,
  type StatusSource,
} from './shared/domain/status.ts';
import type { Clock } from './shared/runtime/clock.ts';
import type { Meter } from './shared/runtime/meter.ts';
import type { ResultFlow } from './shared/runtime/self-monitor.ts';

export const countOf = (diagnostics: Catalogue['diagnostics']) => {
  const count = (severity: Severity) =>
    diagnostics.filter((diagnostic) => diagnostic.severity === severity).length;
  return { errors: count('error'), warnings: count('warning'), infos: count('info') };
};

export const exposeCatalogue = (meter: Meter, catalogue: () => Catalogue): void => {
  meter.observe('watcher.config.files', () => catalogue().files);
  meter.observe('watcher.config.diagnostics', () => {
    const { errors, warnings, infos } = countOf(catalogue().diagnostics);
    return [
      { labels: { severity: 'error' }, value: errors },
      { labels: { severity: 'warning' }, value: warnings },
      { labels: { severity: 'info' }, value: infos },
    ];
  });
  meter.observe('watcher.config.file_errors', () =>
    catalogue()
      .diagnostics.filter(({ severity }) => severity === 'error')
      .map(({ file, code }) => ({ labels: { file, code }, value: 1 })),
  );
};

const unaccounted = ({ produced, delivered, pending, dropped }: SinkView): number =>
  produced - delivered - pending - Object.values(dropped).reduce((sum, count) => sum + count, 0);

export const exposeFlow = (meter: Meter, flow: ResultFlow): void => {
  const each = (read: (view: SinkView) => number) => () =>
    flow.views.map((view) => ({ labels: { sink: view.sink }, value: read(view) }));
  meter.observe(
    'watcher.sink.produced',
    each(({ produced }) => produced),
  );
  meter.observe(
    'watcher.sink.delivered',
    each(({ delivered }) => delivered),
  );
  meter.observe(
    'watcher.sink.pending',
    each(({ pending }) => pending),
  );
  meter.observe('watcher.sink.unaccounted', each(unaccounted));
  meter.observe(
    'watcher.sink.retried',
    each(({ retried }) => retried),
  );
  meter.observe(
    'watcher.sink.calls',
    each(({ calls }) => calls),
  );
  meter.observe(
    'watcher.sink.lag',
    each(({ lagMs }) => lagMs),
  );
  meter.observe(
    'watcher.sink.failing',
    each(({ failing }) => (failing === null ? 0 : 1)),
  );
  meter.observe('watcher.sink.dropped', () =>
    flow.views.flatMap(({ sink, dropped }) =>
      (Object.keys(dropped) as (keyof typeof dropped)[]).map((reason) => ({
        labels: { sink, reason },
        value: dropped[reason],
      })),
    ),
  );
  meter.observe('watcher.spool.size', () => [
    { labels: { place: 'disk' }, value: flow.spool?.diskBytes ?? 0 },
    { labels: { place: 'memory' }, value: flow.spool?.memoryBytes ?? 0 },
  ]);
  meter.observe('watcher.spool.damaged', () => flow.spool?.damaged ?? 0);
};

/** Prometheus and its bill grow with each series: this many checks are shown one by one. */
const MOST_CHECKS = 1_000;

/** The worst first, so that what is cut off are checks that are well. */
const worstChecks = (status: StatusSource): readonly CheckView[] => {
  const views: CheckView[] = [];
  for (const one of CHECK_STATUSES) {
    const limit = MOST_CHECKS - views.length;
    if (one !== 'pending' && limit > 0) views.push(...status.checks({ status: one, limit }));
  }
  return views;
};

export const exposeChecks = (meter: Meter, status: StatusSource, clock: Clock): void => {
  const each = (read: (view: CheckView) => number) => () =>
    worstChecks(status).map((view) => ({ labels: { check: view.check }, value: read(view) }));
  meter.observe('watcher.check.success', () =>
    worstChecks(status).flatMap(({ check, status: now }) => {
      const value = now === 'pending' ? null : SUCCESS[now];
      return value === null ? [] : [{ labels: { check }, value }];
    }),
  );
  meter.observe(
    'watcher.check.last_duration',
    each(({ durationMs }) => durationMs ?? 0),
  );
  meter.observe(
    'watcher.check.last_tick_age',
    each(({ lastTick }) => clock.now() - (lastTick ?? clock.now())),
  );
};
