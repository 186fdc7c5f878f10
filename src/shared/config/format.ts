/** Text of a check file → **the same file in canonical form**, with its comments (`watcher fmt`). */

import { type Problem, severityOf } from './diagnostics.ts';
import { decodeText } from './source.ts';
import { readTree } from './yaml-tree.ts';

export type Formatted =
  | { readonly text: string; readonly problems: null }
  | { readonly text: null; readonly problems: readonly Problem[] };

export const formatBytes = (bytes: Uint8Array): Formatted => {
  const text = decodeText(bytes);
  return typeof text === 'string' ? formatText(text) : { text: null, problems: [text] };
};

/** What is not well-formed stays as it is: only its problems come back. */
const formatText = (text: string): Formatted => {
  const { document, problems } = readTree(text);
  const errors = problems.filter(({ code }) => severityOf(code) === 'error');
  if (errors.length > 0) return { text: null, problems: errors };
  // Nothing but comments.
  if (!document) return { text, problems: null };
  return { text: document.toString({ lineWidth: 0 }), problems: null };
};
