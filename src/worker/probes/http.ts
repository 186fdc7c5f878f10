/**
 * The HTTP probe: schedule -> **probe** -> judge. Holds what its runs share (slots, channels, targets)
 * and starts them.
 */

import type { HttpRequest } from '../../shared/domain/check.ts';
import type { ConnectTo } from '../../shared/rules/connect-to.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Secrets } from '../../shared/secrets/resolve.ts';
import { Channels } from './channel.ts';
import { DeadlinesByTimeout } from './deadlines.ts';
import { LoopWatch } from './loop-watch.ts';
import { type PreparedHttp, prepareHeaders } from './prepared.ts';
import type { Probe } from './probe.ts';
import type { Problem } from './problem.ts';
import { startReach } from './reach.ts';
import type { Resolver } from './resolver.ts';
import { Run, type RunContext } from './run.ts';
import { FreshSlots, KeptSlots } from './slots.ts';
import { isProblem, type Target, targetOf, targetOfKey } from './target.ts';

export interface HttpProbeOptions {
  readonly clock: Clock;
  readonly resolver: Resolver;
  readonly secrets: Secrets;
  /** Default: every target is connected to as it is named. */
  readonly connectTo?: ConnectTo;
  /**
   * What is never probed besides the addresses of the policy: watcher's own services. `path` holds
   * the query, too; an IPv4 address in an IPv6 one is given as the IPv4 address.
   */
  readonly denied?: (address: string, port: number, path: string) => boolean;
  /** Decoded bytes of a body that are read. @default 1 MiB */
  readonly bodyCapBytes?: number;
  /** Connections kept for checks with `connection: reuse`. @default 4096 */
  readonly keptConnections?: number;
}

export interface HttpProbe extends Probe<HttpRequest, PreparedHttp> {
  /** How often a kept connection turned out to be closed by its target when it was needed. */
  metClosed(): number;
}

const MIB = 1024 * 1024;
const KEPT_CONNECTIONS = 4_096;

export const createHttpProbe = (options: HttpProbeOptions): HttpProbe => {
  const { clock } = options;
  const connectTo = options.connectTo ?? (() => null);
  const channels = new Channels(clock);
  const watch = new LoopWatch(clock);
  const deadlines = new DeadlinesByTimeout(clock, watch);
  const slots = {
    fresh: new FreshSlots(),
    reuse: new KeptSlots(options.keptConnections ?? KEPT_CONNECTIONS),
  };
  let metClosed = 0;
  const context: RunContext = {
    clock,
    resolver: options.resolver,
    secrets: options.secrets,
    denied: options.denied ?? (() => false),
    connectTo,
    bodyCapBytes: options.bodyCapBytes ?? MIB,
    watch,
    slots,
    onMetClosed: () => {
      metClosed += 1;
    },
  };
  const targetFor = (key: string, { target, request }: PreparedHttp): Target | Problem =>
    target ?? targetOfKey(request.scheme, key, connectTo);
  return {
    prepare: (request) => ({
      request,
      channel: channels.of(request.ipFamily, request.tls),
      deadlines: deadlines.of(request.timeoutMs),
      target: request.url === undefined ? null : targetOf(request.url, connectTo),
      ...prepareHeaders(request),
    }),
    start: (key, prepared, done, onSend) => {
      const run = new Run(context, prepared, targetFor(key, prepared), { done, onSend });
      run.start();
      return () => run.abort();
    },
    endpointOf: (key, prepared) => {
      const target = targetFor(key, prepared);
      if (isProblem(target)) return null;
      const { channel } = prepared;
      return {
        origin: target.origin,
        reach: (done) => startReach(context, { target, channel }, done),
      };
    },
    close: async () => {
      deadlines.close();
      slots.fresh.close();
      slots.reuse.close();
    },
    metClosed: () => metClosed,
  };
};
