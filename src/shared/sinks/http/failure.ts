/** Why an HTTP call has no answer, in words that may stand in logs: error → **words** → outcome. */

/** A call that got no answer. The message names host and port, and nothing else of the URL. */
export class HttpFailure extends Error {
  override readonly name = 'HttpFailure';
  /** The same call fails again until a person acts. */
  readonly isFinal: boolean;

  constructor(message: string, { isFinal = false }: { readonly isFinal?: boolean } = {}) {
    super(message);
    this.isFinal = isFinal;
  }
}

const WORDS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'the name does not exist, says the resolver',
  EAI_AGAIN: 'the resolver does not answer',
  EAI_FAIL: 'the resolver fails',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  ECONNABORTED: 'connection aborted',
  EPIPE: 'connection reset',
  ETIMEDOUT: 'no connection in time',
  EHOSTUNREACH: 'no route to the host',
  EHOSTDOWN: 'the host is down',
  ENETUNREACH: 'the network is unreachable from here',
  ENETDOWN: 'the network of this machine is down',
  EADDRNOTAVAIL: 'no free local port',
  EMFILE: 'this process has too many open files',
  ENFILE: 'this machine has too many open files',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
  UND_ERR_SOCKET: 'connection closed before the answer was complete',
  UND_ERR_HEADERS_OVERFLOW: 'the answer has too long headers',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the answer ended before its announced length',
  UND_ERR_CLOSED: 'watcher is ending',
  UND_ERR_DESTROYED: 'watcher is ending',
  ERR_TLS_CERT_ALTNAME_INVALID: 'TLS: the certificate is for another host',
  CERT_HAS_EXPIRED: 'TLS: the certificate has expired',
  CERT_NOT_YET_VALID: 'TLS: the certificate is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'TLS: the certificate is self-signed; see NODE_EXTRA_CA_CERTS',
  SELF_SIGNED_CERT_IN_CHAIN: 'TLS: the issuer is not trusted here; see NODE_EXTRA_CA_CERTS',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'TLS: the issuer is not trusted here; see NODE_EXTRA_CA_CERTS',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'TLS: the issuer is not trusted here; see NODE_EXTRA_CA_CERTS',
  ERR_SSL_WRONG_VERSION_NUMBER: 'TLS: the port does not speak TLS',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'TLS: the port does not speak TLS',
};

const NAMES: Readonly<Record<string, string>> = {
  TimeoutError: 'no answer in time',
  AbortError: 'the call was given up',
  HTTPParserError: 'the answer is not HTTP',
};

/** One line. An error's own message is never repeated: it may quote an address with its key. */
export const failureWords = (error: unknown): string => {
  if (!(error instanceof Error)) return 'no answer';
  const code = codeOf(error);
  return WORDS[code] ?? NAMES[error.name] ?? `no answer: ${code || error.name}`;
};

/** `where` is host and port. */
export const failureAt = (where: string, error: unknown): HttpFailure =>
  error instanceof HttpFailure ? error : new HttpFailure(`${where}: ${failureWords(error)}`);

/** A name with several addresses fails with one error for each; the first tells. */
const codeOf = (error: Error): string => {
  if ('code' in error && typeof error.code === 'string') return error.code;
  if (error instanceof AggregateError && error.errors[0] instanceof Error)
    return codeOf(error.errors[0]);
  return error.cause instanceof Error ? codeOf(error.cause) : '';
};
