/** What a process shows of its checks, for tests of whoever shows it on. */

import type {
  CheckStatus,
  CheckView,
  StatusFilter,
  StatusSource,
  StatusSummary,
} from '../../src/shared/domain/status.ts';

export const aView = (overrides: Partial<CheckView> = {}): CheckView => ({
  check: 'host/path',
  id: `id of ${overrides.check ?? 'host/path'}`,
  jobset: 'jobset',
  status: 'ok',
  reason: null,
  since: 0,
  lastTick: 0,
  durationMs: 12,
  latenessMs: 1,
  nextTick: null,
  lateness: null,
  runs: 1,
  skipped: 0,
  ...overrides,
});

const NONE: Record<CheckStatus, number> = {
  critical: 0,
  unknown: 0,
  warning: 0,
  pending: 0,
  ok: 0,
};

const summaryOf = (views: readonly CheckView[]): StatusSummary => {
  const counts = { ...NONE };
  for (const { status } of views) counts[status]++;
  return counts;
};

export const sourceOf = (views: readonly CheckView[]): StatusSource => ({
  checks: ({ status, offset = 0, limit = views.length }: StatusFilter = {}) =>
    views
      .filter((view) => status === undefined || view.status === status)
      .slice(offset, offset + limit),
  find: (key) => views.find((view) => view.check === key) ?? null,
  summary: () => summaryOf(views),
});
