/** A parse thread: one file in, one answer out, in order. It outlives whatever a file does to it. */

import { constants, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { readCheckFile } from './check-file.ts';
import { encode, type ParseAnswer, type ParseRequest } from './parse-message.ts';

const answerTo = ({
  defaults,
  ...file
}: ParseRequest): ParseAnswer | { readonly error: string } => {
  try {
    return encode(readCheckFile(file, defaults));
  } catch (error) {
    return { error: String(error) };
  }
};

// On Linux a priority is one thread's own: checks that run meanwhile go first.
if (process.platform === 'linux') setPriority(constants.priority.PRIORITY_BELOW_NORMAL);

parentPort?.on('message', (request: ParseRequest) => parentPort?.postMessage(answerTo(request)));
