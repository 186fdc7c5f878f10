/**
 * The denominator of every ratio: the barest loop, in a process of its own. No deadline, no
 * phases, no result. Always on one origin: over 10,000 it costs more, and would flatter what it is
 * compared with.
 */

import { createSecureContext } from 'node:tls';
import { startLoad } from './dispatch-load.ts';
import { childOptions, measureWindow } from './measured-window.ts';
import type { TargetLoad } from './target-load.ts';

const { port, certificate, connection, pace, span } = childOptions<TargetLoad>();
const isTls = certificate !== '';

const load = startLoad({
  origin: `${isTls ? 'https' : 'http'}://127.0.0.1:${port}`,
  path: '/health',
  pace,
  fresh: connection === 'fresh',
  connect: isTls
    ? { secureContext: createSecureContext({ ca: certificate }), maxCachedSessions: 0 }
    : {},
  judge: (body) => {
    if (JSON.parse(body).status !== 'ok') throw new Error('the target is not well');
  },
});
console.log(JSON.stringify(await measureWindow(span, load.done)));
process.exit(0);
