/**
 * The least that a check can cost with undici: dispatch on a pool, collect the body, parse it. No
 * deadline, no phases, no result. It is the denominator of every ratio, always on one origin: a
 * bare loop over 10,000 origins costs more, and would flatter what it is compared with.
 */

import { createSecureContext } from 'node:tls';
import { type Dispatcher, Pool } from 'undici';
import { childOptions, measureWindow } from './measured-window.ts';
import type { TargetLoad } from './target-load.ts';

const load = childOptions<TargetLoad>();
const pool = poolFor(load);
const request: Dispatcher.DispatchOptions = {
  method: 'GET',
  path: '/health',
  reset: load.connection === 'fresh',
};
let done = 0;

if (load.pace.kind === 'saturated') {
  for (let i = 0; i < load.pace.inFlight; i++) again();
} else {
  arriveAt(load.pace.perSecond);
}
console.log(JSON.stringify(await measureWindow(load.span, () => done)));
process.exit(0);

function poolFor({ port, certificate }: TargetLoad): Pool {
  const secure = certificate !== '';
  const connect = secure
    ? { secureContext: createSecureContext({ ca: certificate }), maxCachedSessions: 0 }
    : {};
  return new Pool(`${secure ? 'https' : 'http'}://127.0.0.1:${port}`, {
    connections: secure || load.pace.kind === 'paced' ? 128 : load.pace.inFlight,
    allowH2: false,
    connect,
  });
}

/** Closed loop: the end of one request starts the next. */
function again(): void {
  dispatch(again);
}

/** Open loop with the arrivals of checks whose offsets are spread at random over a minute. */
function arriveAt(perSecond: number): void {
  const count = perSecond * 60;
  const offsets = Float64Array.from({ length: count }, () =>
    Math.floor(Math.random() * 60_000),
  ).sort();
  const began = performance.now();
  let next = 0;
  const step = () => {
    const now = performance.now() - began;
    while (dueAt(next) <= now) {
      dispatch(() => {});
      next += 1;
    }
    setTimeout(step, dueAt(next) - now);
  };
  const dueAt = (n: number) => (offsets[n % count] ?? 0) + 60_000 * Math.floor(n / count);
  step();
}

function dispatch(then: () => void): void {
  const chunks: Buffer[] = [];
  pool.dispatch(request, {
    onRequestStart() {},
    onResponseStart() {},
    onResponseData(_controller, chunk) {
      chunks.push(chunk);
    },
    onResponseEnd() {
      const body = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
      if (JSON.parse(String(body)).status !== 'ok') throw new Error('the target is not well');
      done += 1;
      then();
    },
    onResponseError(_controller, error) {
      throw error;
    },
  });
}
