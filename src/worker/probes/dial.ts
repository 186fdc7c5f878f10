/**
 * Opens one connection: target -> **name, address, socket, TLS** -> exchange. Times each phase, asks
 * the address policy about the very address it connects to, and tries the next one when one fails.
 */

import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, type TLSSocket } from 'node:tls';
import { isCheckerFault } from '../../shared/domain/reasons.ts';
import type { Phases } from '../../shared/domain/result.ts';
import { plainAddress, refusedAddress, refusedHost } from '../../shared/rules/address-policy.ts';
import type { Clock, Timer } from '../../shared/runtime/clock.ts';
import type { Channel } from './channel.ts';
import { connectProblem, handshakeProblem } from './failures.ts';
import type { Problem } from './problem.ts';
import type { Resolution, Resolver } from './resolver.ts';
import { resetSocket } from './sockets.ts';
import type { Target } from './target.ts';
import { certificateProblem } from './tls-problem.ts';

/** More addresses than this are not tried in one run. */
const ADDRESSES_TRIED = 8;

export interface DialContext {
  readonly clock: Clock;
  readonly resolver: Resolver;
  /** Addresses and ports of watcher's own services; the address is in its plainest form. */
  readonly denied: (address: string, port: number, path: string) => boolean;
}

export interface DialOptions {
  readonly target: Target;
  readonly channel: Channel;
  /** Monotonic ms at which the whole run ends. */
  readonly deadlineAt: number;
  readonly onOpen: (socket: Socket) => void;
  readonly onProblem: (problem: Problem) => void;
}

export class Dial {
  phase: 'dns' | 'connect' | 'tls' = 'dns';
  /** The last one that was connected to. */
  address = '';
  /** Ms since the epoch. */
  certificateExpiresAt: number | undefined;
  /** The first error of the socket after it was handed over: what follows from it hides it. */
  lateError: Error | null = null;
  readonly #context: DialContext;
  readonly #options: DialOptions;
  #phaseAt: number;
  /** Milliseconds; -1 for a phase that did not happen. */
  #dnsMs = -1;
  #connectMs = -1;
  #tlsMs = -1;
  #addresses: readonly string[] = [];
  #tried = 0;
  #firstProblem: Problem | null = null;
  #socket: Socket | null = null;
  #attempt: Timer | null = null;
  #done = false;

  constructor(context: DialContext, options: DialOptions) {
    this.#context = context;
    this.#options = options;
    this.#phaseAt = context.clock.monotonicMs();
  }

  /** `onOpen` or `onProblem` is called once, perhaps before this returns, unless it is cancelled. */
  start(): void {
    const { target, channel } = this.#options;
    const refusal = refusedHost(target.dialHost);
    if (refusal !== null) return this.#fail(refusedProblem(target.dialHost, refusal));
    if (target.literal !== 0) {
      this.#addresses = [target.dialHost];
      return this.#connectNext();
    }
    this.#context.resolver.resolve(target.dialHost, channel.family, this.#onResolved);
  }

  cancel(): void {
    this.#done = true;
    this.#attempt?.cancel();
    this.#socket?.destroy();
  }

  /** What each phase took, with the one that goes on at `now`, added to what `phases` holds. */
  addPhases(phases: Phases, now: number): void {
    if (!this.#done) this.#endPhase(now);
    if (this.#dnsMs >= 0) phases.dns = (phases.dns ?? 0) + this.#dnsMs;
    if (this.#connectMs >= 0) phases.connect = (phases.connect ?? 0) + this.#connectMs;
    if (this.#tlsMs >= 0) phases.tls = (phases.tls ?? 0) + this.#tlsMs;
  }

  #endPhase(now: number): void {
    const spent = now - this.#phaseAt;
    this.#phaseAt = now;
    if (this.phase === 'dns') this.#dnsMs = spent;
    else if (this.phase === 'connect') this.#connectMs = spent;
    else this.#tlsMs = spent;
  }

  readonly #onResolved = (resolution: Resolution, cached: boolean): void => {
    if (this.#done) return;
    this.#endPhase(cached ? this.#phaseAt : this.#context.clock.monotonicMs());
    if (resolution.problem !== null) return this.#fail(resolution.problem);
    this.#addresses = resolution.addresses;
    this.#connectNext();
  };

  #connectNext(): void {
    const { clock } = this.#context;
    const { target } = this.#options;
    const address = this.#addresses[this.#tried];
    if (address === undefined || this.#tried === ADDRESSES_TRIED) return this.#failForGood();
    this.#tried += 1;
    const refusal = refusedAddress(address);
    if (refusal !== null) return this.#tryAnother(refusedProblem(address, refusal));
    const own = ownServiceProblem(this.#context, address, target);
    if (own !== null) return this.#tryAnother(own);
    const left = this.#addresses.length - this.#tried;
    if (left > 0) {
      // Each address gets an equal share of what is left, the last one all of it.
      const share = (this.#options.deadlineAt - clock.monotonicMs()) / (left + 1);
      this.#attempt = clock.after(share, () => this.#giveUpOn(address));
    }
    this.#connect(address, target.dialPort);
  }

  #connect(address: string, port: number): void {
    this.phase = 'connect';
    this.address = address;
    const socket = this.#options.target.secure
      ? this.#connectTls(address, port)
      : connectTcp({ host: address, port });
    if ('code' in socket) return this.#fail(socket);
    this.#socket = socket;
    socket.on('connect', () => this.#onConnected(socket));
    // Stays on for the socket's whole life: an error after the run is over must find a listener.
    socket.on('error', (error) => {
      if (this.#socket !== socket) return;
      if (this.#done) this.lateError ??= error;
      else if (this.phase === 'tls') this.#fail(handshakeProblem(error));
      else this.#tryAnother(connectProblem(error, address, port));
    });
  }

  #connectTls(address: string, port: number): TLSSocket | Problem {
    const { target, channel } = this.#options;
    const secureContext = channel.secureContext();
    if ('code' in secureContext) return secureContext;
    const isNamed = isIP(target.host) === 0;
    // Verified by hand afterwards: a refused certificate still tells when it ends. There is no session
    // to resume, as that would hide the certificate that the target shows now.
    const socket = connectTls({
      host: address,
      port,
      secureContext,
      servername: isNamed ? withoutDot(target.host) : '',
      checkServerIdentity: (_, certificate) =>
        checkServerIdentity(withoutDot(target.host), certificate),
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
    });
    socket.on('secureConnect', () => this.#onSecured(socket));
    return socket;
  }

  #giveUpOn(address: string): void {
    if (this.#done || this.phase !== 'connect') return;
    this.#socket?.destroy();
    this.#tryAnother({
      code: 'timeout_connect',
      detail: `${address}: no connection in its share of the timeout`,
    });
  }

  #onConnected(socket: Socket): void {
    if (this.#done || this.#socket !== socket) return;
    this.#attempt?.cancel();
    this.#endPhase(this.#context.clock.monotonicMs());
    if (this.#options.target.secure) this.phase = 'tls';
    else this.#open(socket);
  }

  #onSecured(socket: TLSSocket): void {
    if (this.#done) return;
    this.#endPhase(this.#context.clock.monotonicMs());
    this.certificateExpiresAt = socket.getPeerX509Certificate()?.validToDate.getTime();
    if (socket.authorized || this.#options.channel.insecure) return this.#open(socket);
    this.#fail(certificateProblem(String(socket.authorizationError), this.#context.clock.now()));
  }

  #open(socket: Socket): void {
    this.#done = true;
    this.#options.onOpen(socket);
  }

  #tryAnother(problem: Problem): void {
    if (this.#done) return;
    this.#attempt?.cancel();
    // A fault of the target says more than, for example, that this machine has no IPv6.
    const first = this.#firstProblem;
    if (first === null || (isCheckerFault(first.code) && !isCheckerFault(problem.code))) {
      this.#firstProblem = problem;
    }
    this.#connectNext();
  }

  #failForGood(): void {
    this.#fail(this.#firstProblem ?? { code: 'dns_not_found', detail: 'the name has no address' });
  }

  #fail(problem: Problem): void {
    if (this.#done) return;
    this.#done = true;
    this.#endPhase(this.#context.clock.monotonicMs());
    if (this.#socket !== null) resetSocket(this.#socket);
    this.#options.onProblem(problem);
  }
}

/** Asked for each request, as the answer depends on the path and a connection may be kept. */
export const ownServiceProblem = (
  { denied }: Pick<DialContext, 'denied'>,
  address: string,
  { dialPort, path }: Target,
): Problem | null => {
  if (!denied(plainAddress(address), dialPort, path)) return null;
  return refusedProblem(`${address}:${dialPort}`, 'a service of watcher itself');
};

const refusedProblem = (what: string, why: string): Problem => ({
  code: 'address_refused',
  detail: `${what} is ${why}, which watcher never probes`,
});

/** Neither certificates nor the server name of TLS know the dot at the end of a name. */
const withoutDot = (host: string): string => (host.endsWith('.') ? host.slice(0, -1) : host);
