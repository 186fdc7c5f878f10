/** Accounts of several destinations, added up by what people call them. */

import { DROP_REASONS, type DropReason } from '../domain/delivery.ts';
import type { SinkView } from '../domain/status.ts';

const REASONS = Object.keys(DROP_REASONS) as readonly DropReason[];

export const addViews = (views: readonly SinkView[]): readonly SinkView[] => {
  const sums = new Map<string, SinkView>();
  for (const view of views) {
    const before = sums.get(view.sink);
    sums.set(view.sink, before ? added(before, view) : view);
  }
  return [...sums.values()];
};

const added = (a: SinkView, b: SinkView): SinkView => ({
  sink: a.sink,
  produced: a.produced + b.produced,
  delivered: a.delivered + b.delivered,
  pending: a.pending + b.pending,
  dropped: Object.fromEntries(
    REASONS.map((reason) => [reason, a.dropped[reason] + b.dropped[reason]]),
  ) as Record<DropReason, number>,
  retried: a.retried + b.retried,
  calls: a.calls + b.calls,
  lagMs: Math.max(a.lagMs, b.lagMs),
  failing: a.failing ?? b.failing,
});
