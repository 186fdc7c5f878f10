/**
 * One process that makes results at a fixed pace and hands them to the sinks, or to nobody: the
 * difference is what the way to the sinks costs.
 */

import { openOutlets } from '../../src/outlets.ts';
import type { CheckId } from '../../src/shared/domain/check.ts';
import type { Result } from '../../src/shared/domain/result.ts';
import type { SinkSettings } from '../../src/shared/domain/sink-settings.ts';
import { systemClock } from '../../src/shared/runtime/clock.ts';
import { silentLog } from '../../src/shared/runtime/log.ts';
import { systemRandom } from '../../src/shared/runtime/random.ts';
import { createSecrets } from '../../src/shared/secrets/resolve.ts';
import { childOptions, measureWindow, type Span } from './measured-window.ts';

export interface SinkLoad {
  readonly checks: number;
  readonly perSecond: number;
  /** One result in so many is a change of state. */
  readonly changeEvery: number;
  readonly span: Span;
  /** None: results go nowhere. */
  readonly sinks: readonly SinkSettings[];
  readonly stateFolder: string;
  readonly connectTo: readonly string[];
}

const load = childOptions<SinkLoad>();
/** As often as a worker's timer goes off under this load, or nearly. */
const STEP_MS = 5;

const outlets =
  load.sinks.length === 0
    ? null
    : openOutlets({
        clock: systemClock,
        random: systemRandom,
        log: silentLog,
        secrets: createSecrets({ clock: systemClock, env: process.env }),
        connectTo: load.connectTo,
        worker: 'bench',
        sinks: load.sinks,
        stateFolder: load.stateFolder,
        finishMs: 10_000,
        redact: (text) => text,
      });

let made = 0;
const make = (): void => {
  const n = made++;
  const now = systemClock.now();
  const result: Result = {
    id: `00000000-0000-5000-8000-${String(n % load.checks).padStart(12, '0')}` as CheckId,
    check: `host-${n % load.checks}.example.com/health`,
    tick: now,
    start: now,
    latenessMs: n % 5,
    durationMs: 12.345 + (n % 100),
    phases: { dns: 0, connect: 1.234, first_byte: 9.876 + (n % 100), body: 0.123 },
    status: 'ok',
    code: null,
    reason: null,
    values: { status: 'ok' },
    worker: 'bench',
    token: '17',
    detached: false,
  };
  const isChange = n % load.changeEvery === 0;
  const change = { from: 'critical', to: 'ok', at: now, reason: null } as const;
  outlets?.router.write(result, isChange ? change : null, undefined);
};

const began = performance.now();
const timer = setInterval(() => {
  const due = ((performance.now() - began) * load.perSecond) / 1000;
  while (made < due) make();
}, STEP_MS);
const window = await measureWindow(load.span, () => made);
clearInterval(timer);
const views = outlets?.router.views ?? [];
await outlets?.[Symbol.asyncDispose]();
console.log(JSON.stringify({ window, views }));
