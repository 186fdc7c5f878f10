/**
 * What an error of a socket, of TLS or of the HTTP parser says about a run: error -> **reason** ->
 * judge. The line between "the target is at fault" and "we are" is drawn here and nowhere else.
 */

import type { ReasonCode } from '../../shared/domain/reasons.ts';
import type { Phases } from '../../shared/domain/result.ts';
import type { Problem } from './problem.ts';
import { isTlsError, tlsProblem } from './tls-problem.ts';

export type Phase = keyof Phases;

const BY_ERRNO: Readonly<Record<string, readonly [ReasonCode, string]>> = {
  ECONNREFUSED: ['refused', 'connection refused'],
  ECONNRESET: ['reset', 'connection reset by the target'],
  ECONNABORTED: ['reset', 'connection aborted'],
  EPIPE: ['reset', 'connection reset by the target'],
  EHOSTUNREACH: ['host_unreachable', 'no route to the host, says a router'],
  EHOSTDOWN: ['host_unreachable', 'the host is down'],
  ENETUNREACH: ['checker_no_route', 'the network is unreachable from here'],
  ENETDOWN: ['checker_no_route', 'the network of this machine is down'],
  EAFNOSUPPORT: ['checker_no_route', 'this machine does not speak that address family'],
  EINVAL: ['checker_no_route', 'this machine cannot connect to that address'],
  EACCES: ['checker_no_route', 'this machine forbids the connection'],
  EPERM: ['checker_no_route', 'this machine forbids the connection'],
  EADDRINUSE: ['checker_ports', 'no free local port'],
  EADDRNOTAVAIL: ['checker_ports', 'no free local port'],
  EMFILE: ['checker_resources', 'this process has too many open files'],
  ENFILE: ['checker_resources', 'this machine has too many open files'],
  ENOBUFS: ['checker_resources', 'no buffer space left'],
  ENOMEM: ['checker_resources', 'no memory left'],
};

/** The system's own time limit for a connection, or for data that nobody acknowledges. */
const KERNEL_TIMEOUT = 'ETIMEDOUT';

const TIMEOUTS: Readonly<Record<Phase, readonly [ReasonCode, string]>> = {
  dns: ['checker_resolver', 'the resolver does not answer'],
  connect: ['timeout_connect', 'no connection'],
  tls: ['timeout_tls', 'no TLS handshake'],
  first_byte: ['timeout_first_byte', 'no response'],
  body: ['timeout_body', 'no end of the body'],
};

/** What can follow from our own event loop standing still: we asked, read or answered too late. */
const CAN_BE_OURS: ReadonlySet<ReasonCode> = new Set([
  'timeout_connect',
  'closed',
  'reset',
  'truncated',
  'checker_resolver',
]);

/** For problems that come before the deadline. */
export const canBeOurs = (code: ReasonCode): boolean => CAN_BE_OURS.has(code);

const codeOf = (error: Error): string =>
  'code' in error && typeof error.code === 'string' ? error.code : '';

/** The deadline of the run, `timeoutMs` after its start, found it in this phase. */
export const timeoutProblem = (phase: Phase, timeoutMs: number): Problem => {
  const [code, what] = TIMEOUTS[phase];
  return { code, detail: `${what} within ${timeoutMs} ms` };
};

/** An error while connecting to `address`, an IP address. */
export const connectProblem = (error: Error, address: string, port: number): Problem => {
  const code = codeOf(error);
  const where = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  if (code === KERNEL_TIMEOUT)
    return { code: 'timeout_connect', detail: `${where}: no connection` };
  // Without IPv6 on this machine there is no local address for any IPv6 target.
  if (code === 'EADDRNOTAVAIL' && address.includes(':')) {
    return { code: 'checker_no_route', detail: `${where}: this machine has no IPv6 address` };
  }
  const [reason, what] = BY_ERRNO[code] ?? ['checker_error', `${error.name} ${code}`];
  return { code: reason, detail: `${where}: ${what}` };
};

/** An error of the TLS handshake. */
export const handshakeProblem = (error: Error): Problem => {
  if (isTlsError(codeOf(error))) return tlsProblem(codeOf(error));
  // Node's own error when the target ends the connection has the code of a reset, but no system call.
  if (codeOf(error) === 'ECONNRESET' && !('syscall' in error)) {
    return { code: 'closed', detail: 'connection closed in the TLS handshake' };
  }
  return errnoProblem(error, 'in the TLS handshake');
};

/** How far the response had come when an error ended it. */
export type Progress = 'nothing' | 'head' | 'body';

/** An error after the request was sent: of the socket, or of the parser. */
export const exchangeProblem = (error: Error, progress: Progress): Problem => {
  const code = codeOf(error);
  if (isTlsError(code)) return tlsProblem(code);
  if (error.name === 'HTTPParserError') return parserProblem(error.message);
  switch (code) {
    case 'UND_ERR_SOCKET':
      return socketProblem(error.message, progress);
    case 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH':
      // The parser says the same of anything that goes wrong behind a content-length header.
      return progress === 'body' ? TRUNCATED : { code: 'protocol', detail: BROKEN };
    case 'UND_ERR_HEADERS_OVERFLOW':
      return { code: 'protocol', detail: 'the response headers are longer than 16 KiB' };
    case 'UND_ERR_INVALID_ARG':
    case 'UND_ERR_NOT_SUPPORTED':
    case 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH':
      return { code: 'checker_settings', detail: `the request cannot be sent: ${error.message}` };
  }
  return errnoProblem(error, progress === 'nothing' ? 'before a response' : 'in the response');
};

const BROKEN = 'the response breaks HTTP/1.1';

const TRUNCATED: Problem = {
  code: 'truncated',
  detail: 'the response ended before its announced length',
};

const socketProblem = (message: string, progress: Progress): Problem => {
  if (message === 'bad upgrade') {
    return { code: 'protocol', detail: 'the target switches protocols unasked' };
  }
  if (message === 'bad response') {
    return { code: 'protocol', detail: 'the target sends a response that was not asked for' };
  }
  if (progress === 'body') return TRUNCATED;
  if (progress === 'nothing')
    return { code: 'closed', detail: 'connection closed before a response' };
  return { code: 'truncated', detail: 'the response ended inside its headers' };
};

/** The parser is told of the end of the stream, too, and dislikes it inside a message. */
const parserProblem = (message: string): Problem => {
  const reason = /\((.*)\)$/.exec(message)?.[1];
  if (reason === 'Invalid EOF state') return TRUNCATED;
  return { code: 'protocol', detail: reason === undefined ? BROKEN : `${BROKEN}: ${reason}` };
};

const errnoProblem = (error: Error, where: string): Problem => {
  const code = codeOf(error);
  if (code === KERNEL_TIMEOUT) return { code: 'reset', detail: `connection lost ${where}` };
  const [reason, what] = BY_ERRNO[code] ?? ['checker_error', `${error.name} ${code}`.trim()];
  return { code: reason, detail: `${what} ${where}` };
};
