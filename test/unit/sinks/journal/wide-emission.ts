/** An emission of a known, round size, where a test counts records by the bytes that they take. */

import type { ResultEmission } from '../../../../src/shared/domain/delivery.ts';
import type { Result } from '../../../../src/shared/domain/result.ts';
import { anEmission } from '../../../support/builders.ts';

/** With it a record takes about a third of a kilobyte. */
const REASON = 'x'.repeat(184);

export const aWideEmission = (overrides: Partial<Result> = {}): ResultEmission =>
  anEmission({ reason: REASON, ...overrides });
