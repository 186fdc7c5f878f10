/** The first jobsets of a world: an admin would pack a hundred checks into one, and a world is small. */

import { digestOf } from '../../src/shared/coordination/definitions.ts';
import type { Keys } from '../../src/shared/coordination/keys.ts';
import type { KeyValueStore } from '../../src/shared/coordination/kv.ts';
import { Publishing } from '../../src/shared/coordination/publishing.ts';
import type { CheckDefinition, JobsetId } from '../../src/shared/domain/check.ts';

/** Writes a jobset whoever leads. */
export const publish = async (
  etcd: Pick<KeyValueStore, 'commit' | 'snapshot'>,
  keys: Keys,
  id: JobsetId,
  definitions: readonly CheckDefinition[],
): Promise<void> => {
  const term = { condition: { key: 'nobody/leads', modRevision: 0 } };
  // Of the port, publishing uses only what etcd has.
  const store = etcd as KeyValueStore;
  const digest = digestOf(definitions);
  const content = { old: null, id, source: 'folder', digest, definitions, zone: null } as const;
  await new Publishing({ store, keys }).replace(content, term);
};
