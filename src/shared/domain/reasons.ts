/**
 * The one list of reasons why a result is not ok, and whose fault each is. A fault of watcher or
 * of its machine is `unknown`, never `critical`. docs/errors.md is generated from it.
 */

type Fault = 'target' | 'checker';

/** Code -> [whose fault, network level, what it means]. Network level counts for checker_network. */
export const REASONS = {
  assertion: ['target', false, 'an assertion of the check does not hold'],
  http_status: ['target', false, 'the HTTP status is not one of those expected'],
  not_json: ['target', false, 'a value was asked of a body that is not JSON'],
  missing: ['target', false, 'the response lacks a value that the check names'],
  oversize: ['target', false, 'the body is longer than 1 MiB, so its values cannot be read'],
  dns_not_found: ['target', false, 'the resolver says that the name does not exist'],
  refused: ['target', false, 'the target refused the connection'],
  reset: ['target', true, 'the connection was reset before the response was complete'],
  closed: ['target', true, 'the connection was closed before a response came'],
  host_unreachable: ['target', true, 'a router reports that the host cannot be reached'],
  timeout_connect: ['target', true, 'no connection within the timeout'],
  timeout_tls: ['target', true, 'no TLS handshake within the timeout'],
  timeout_first_byte: ['target', false, 'no first byte of the response within the timeout'],
  timeout_body: ['target', false, 'the body did not end within the timeout'],
  truncated: ['target', false, 'the response ended before its announced length'],
  protocol: ['target', false, 'the response breaks HTTP'],
  encoding: ['target', false, 'the response body cannot be decoded'],
  redirect_limit: ['target', false, 'too many redirects'],
  redirect_refused: ['target', false, 'a redirect leads where watcher never goes'],
  tls: ['target', false, 'the TLS handshake or the certificate is not acceptable'],
  address_refused: ['checker', false, 'the address is one that watcher never probes'],
  checker_resolver: ['checker', false, 'the resolver does not answer or cannot'],
  checker_no_route: ['checker', false, 'this machine has no route to that address'],
  checker_ports: ['checker', false, 'this machine has no free local port for that target'],
  checker_resources: ['checker', false, 'this process has no descriptors, buffers or memory left'],
  checker_blocked: ['checker', false, 'the event loop was blocked past the deadline'],
  checker_network: ['checker', false, 'most targets fail at once: the network here is at fault'],
  checker_secret: ['checker', false, 'a secret that the check refers to cannot be read'],
  checker_settings: ['checker', false, 'the check cannot be carried out as it is configured'],
  checker_clock: ['checker', false, 'a certificate looks out of date but so does this clock'],
  checker_error: ['checker', false, 'a defect of watcher: please report it'],
} as const satisfies Record<string, readonly [Fault, boolean, string]>;

export type ReasonCode = keyof typeof REASONS;

export const isCheckerFault = (code: ReasonCode): boolean => REASONS[code][0] === 'checker';
export const isNetworkLevel = (code: ReasonCode): boolean => REASONS[code][1];
