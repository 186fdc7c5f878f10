/** When a leader publishes a folder that is not the one that is published, for any history of a term. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { judgeTakeover, KEEP_MS, type Waiting } from '../../../src/admin/takeover-rule.ts';

const folder = fc.constantFrom('a', 'b', 'c');
const seldom = fc.nat({ max: 19 }).map((n) => n === 0);
/** Looks at the folder of this admin, and the time before each. */
const looks = fc.array(
  fc.record({
    ms: fc.nat({ max: KEEP_MS / 2 }),
    changed: seldom.chain((is) => (is ? folder : fc.constant(null))),
    confirmed: seldom,
  }),
  { minLength: 1, maxLength: 20 },
);

it('keeps what another has published until its own changes, is confirmed, or has waited', () =>
  fc.assert(
    fc.property(
      looks,
      folder,
      fc.option(folder),
      fc.option(folder),
      (looks, start, published, own) => {
        let offered = start;
        let waiting: Waiting | null = null;
        let now = 0;
        /** What it offered first while it could not publish, and since when. */
        let first: { readonly folder: string; readonly at: number } | null = null;
        for (const { changed, ms, confirmed } of looks) {
          now += ms;
          offered = changed ?? offered;
          const isOwn = published === null || published === own || published === offered;
          first ??= isOwn || confirmed ? null : { folder: offered, at: now };
          const isDue = first !== null && (first.folder !== offered || now - first.at >= KEEP_MS);
          waiting = judgeTakeover({ published, own, offered, waiting, confirmed, now });
          expect(waiting === null).toBe(isOwn || confirmed || isDue);
          // From then on it is what the ledger follows.
          if (waiting === null) return;
          expect(waiting).toEqual({ folder: first?.folder, since: first?.at });
        }
      },
    ),
  ));
