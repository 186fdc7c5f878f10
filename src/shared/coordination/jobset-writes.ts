/** What stands in the ledger about one jobset, as the writes of a transaction: pure. */

import type { CheckDefinition, JobsetId } from '../domain/check.ts';
import type { Jobset } from '../domain/jobset.ts';
import { digestOf, encodeDefinitions } from './definitions.ts';
import type { Keys } from './keys.ts';
import type { Write } from './kv.ts';
import { encodeJobset } from './records.ts';

/** The jobset with these jobs and no others; `old` says how many chunks there are to replace. */
export const rewritten = (
  keys: Keys,
  old: Jobset,
  definitions: readonly CheckDefinition[],
): Write[] => {
  const { id } = old;
  const chunks = encodeDefinitions(definitions);
  const jobs = definitions.map((definition) => definition.id);
  const jobset = { ...old, jobs, digest: digestOf(definitions), chunks: chunks.length };
  return [
    { kind: 'put', key: keys.jobset(id), value: encodeJobset(jobset) },
    ...chunks.map((value, i): Write => ({ kind: 'put', key: keys.chunk(id, i), value })),
    ...chunksDropped(keys, id, { from: chunks.length, to: old.chunks }),
  ];
};

/** The jobset with all that is about it. */
export const withdrawn = (keys: Keys, { id, chunks }: Jobset): Write[] => [
  { kind: 'delete', key: keys.jobset(id) },
  { kind: 'delete', key: keys.owner(id) },
  { kind: 'delete', key: keys.checkpoint(id) },
  { kind: 'delete', key: keys.suspects(id) },
  ...chunksDropped(keys, id, { from: 0, to: chunks }),
];

const chunksDropped = (
  keys: Keys,
  id: JobsetId,
  { from, to }: { readonly from: number; readonly to: number },
): Write[] =>
  Array.from({ length: Math.max(0, to - from) }, (_, i) => {
    return { kind: 'delete', key: keys.chunk(id, from + i) };
  });
