/**
 * A process that claims slots as fast as it can, once there is a file `go`, and says as JSON which it
 * got. Arguments: the folder, and how many slots are in it.
 */

import { existsSync } from 'node:fs';
import path from 'node:path';
import { SlotLock } from '../../../../src/shared/sinks/journal/slot-lock.ts';

const [folder = '', count = '0'] = process.argv.slice(2);
process.stdin.resume();
console.log('ready');
while (!existsSync(path.join(folder, 'go')));
const slots = Array.from({ length: Number(count) }, (_, n) => n);
console.log(
  JSON.stringify(slots.filter((n) => SlotLock.claim(path.join(folder, `${n}`)) !== null)),
);
