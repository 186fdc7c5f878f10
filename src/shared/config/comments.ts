/** Comments outlive the nodes that they stood at (canonical form, formatting). */

import type { Node } from 'yaml';

type Comment = string | null | undefined;

/** Comments of a node that goes: they stand before the one that stays. */
export const precede = (node: unknown, ...comments: readonly Comment[]): void => {
  const kept = node as Node | null;
  if (kept) kept.commentBefore = comments.reduce(joined, kept.commentBefore) ?? null;
};

export const joined = (after: Comment, before: Comment): string | null =>
  [before, after].filter(Boolean).join('\n') || null;
