/** Which destination it is, in a form that may stand in files and logs. */

import { createHash } from 'node:crypto';
import type { DestinationId } from '../domain/delivery.ts';

/**
 * The same parts (kind, address, key reference, and whatever else makes it another destination) give
 * the same id in every process. A key among them cannot be read back from it.
 */
export const destinationId = (...parts: readonly string[]): DestinationId =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16) as DestinationId;
