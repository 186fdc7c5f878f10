/** When checks that vanish are taken away, for any history of a folder. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Held, HOLD_MS, judgeVanished } from '../../../src/admin/vanish-rule.ts';
import type { CheckId } from '../../../src/shared/domain/check.ts';

const PUBLISHED = 100;
const vanished = fc
  .uniqueArray(fc.nat({ max: PUBLISHED - 1 }), { maxLength: 60, size: 'max' })
  .map((numbers) => new Set(numbers.map((n) => `c${n}` as CheckId)));
/** Scans of the folder, and the time before each. */
const scans = fc.array(
  fc.record({ vanished, ms: fc.nat({ max: HOLD_MS / 2 }), confirmed: fc.boolean() }),
  { minLength: 1, maxLength: 20 },
);

const isMuch = (count: number): boolean => count > 10 && count > PUBLISHED * 0.2;

const isSame = (a: ReadonlySet<CheckId>, b: ReadonlySet<CheckId>): boolean =>
  a.symmetricDifference(b).size === 0;

it('holds much that vanishes until it is confirmed or has lasted, and nothing else', () =>
  fc.assert(
    fc.property(scans, (scans) => {
      let held: Held | null = null;
      let now = 0;
      /** Since when the folder has said the same. */
      let saidSince = 0;
      let said: ReadonlySet<CheckId> | null = null;
      for (const { vanished, ms, confirmed } of scans) {
        now += ms;
        if (said === null || !isSame(said, vanished)) saidSince = now;
        const verdict = judgeVanished({ published: PUBLISHED, vanished, held, confirmed, now });
        const lasts = now - saidSince >= HOLD_MS;
        expect(verdict.held !== null).toBe(isMuch(vanished.size) && !confirmed && !lasts);
        held = verdict.held;
        said = held === null ? null : vanished;
      }
    }),
  ));
