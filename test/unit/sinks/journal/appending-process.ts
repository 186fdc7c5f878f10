/** A process that appends to a journal as fast as it can, and says each seq once it is appended. */

import { writeSync } from 'node:fs';
import type { DestinationId } from '../../../../src/shared/domain/delivery.ts';
import { systemClock } from '../../../../src/shared/runtime/clock.ts';
import { silentLog } from '../../../../src/shared/runtime/log.ts';
import { openJournal } from '../../../../src/shared/sinks/journal/journal.ts';
import { anEmission } from '../../../support/builders.ts';

const journal = openJournal({
  folder: process.argv[2] ?? '',
  clock: systemClock,
  log: silentLog,
  onEvict: () => new Map(),
  onMoved() {},
  limits: { disk: { segmentBytes: 16_384, totalBytes: 64 * 1024 * 1024 } },
});
journal.recovered();
const to = ['aaaaaaaaaaaaaaaa' as DestinationId];
for (let tick = 1; ; tick++) {
  const seq = journal.append(anEmission({ tick }), null, to, false);
  writeSync(1, `${seq} ${tick}\n`);
}
