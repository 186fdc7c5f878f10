/** What several processes write into one stream: a line that came in two pieces would be torn by others. */

import { Transform } from 'node:stream';

/** Passes on what has been written up to the last newline, and the rest when there is one. */
export const wholeLines = (): Transform => {
  let begun: Buffer[] = [];
  return new Transform({
    transform(chunk: Buffer, _, done) {
      const end = chunk.lastIndexOf('\n') + 1;
      if (end === 0) {
        begun.push(chunk);
        return done();
      }
      const lines = Buffer.concat([...begun, chunk.subarray(0, end)]);
      begun = end === chunk.length ? [] : [chunk.subarray(end)];
      done(null, lines);
    },
  });
};
