/**
 * A process whose disk takes only so much: appends until the disk has failed and beyond, lets time
 * pass, and says as JSON what the journal made of it. Arguments: folder, records to
 * append, and whether to let time pass before there is room.
 */

import type { DestinationId } from '../../../../src/shared/domain/delivery.ts';
import { silentLog } from '../../../../src/shared/runtime/log.ts';
import { openJournal } from '../../../../src/shared/sinks/journal/journal.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { aWideEmission } from './wide-emission.ts';

const A = 'aaaaaaaaaaaaaaaa' as DestinationId;
const [folder = '', count = '0', retries] = process.argv.slice(2);
const clock = new ManualClock();
const said: string[] = [];
const journal = openJournal({
  folder,
  clock,
  log: {
    ...silentLog,
    info: (message) => said.push(message),
    warn: (message, fields) => said.push(`${message}: ${fields?.['reason']}`),
  },
  onEvict: () => new Map(),
  onMoved() {},
});
journal.recovered();

let ticks = 0;
const append = (): number => {
  ticks += 1;
  return journal.append(aWideEmission({ tick: ticks }), null, [A], false);
};
const readable = () =>
  Array.from({ length: ticks }, (_, n) => journal.read(n + 1)?.emission).filter(
    (emission, n) => emission?.kind === 'result' && emission.result.tick === n + 1,
  ).length;

for (let n = 0; n < Number(count); n++) append();
if (retries === 'retries') {
  for (let n = 0; n < 20; n++) {
    await clock.advance(10_000);
    append();
  }
}
const full = { ...journal.state, readable: readable() };
// The older half was delivered: a file may be among what nobody needs any more.
journal.done(
  A,
  Array.from({ length: Number(count) / 2 }, (_, n) => n + 1),
);
await clock.advance(10_000);
append();
const later = { ...journal.state, last: journal.read(ticks) !== null };
console.log(JSON.stringify({ full, later, said }));
process.kill(process.pid, 'SIGKILL');
