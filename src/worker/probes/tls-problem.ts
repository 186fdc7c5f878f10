/** What is wrong with a TLS handshake or certificate, in words, from the codes of OpenSSL and Node. */

import type { Problem } from './problem.ts';

const CERTIFICATE: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'the certificate has expired',
  CERT_NOT_YET_VALID: 'the certificate is not valid yet',
  CERT_REVOKED: 'the certificate was revoked',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate is for another host',
  HOSTNAME_MISMATCH: 'the certificate is for another host',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'the chain ends in a self-signed certificate that is not trusted here',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the chain is incomplete or its issuer is not trusted here',
  UNABLE_TO_GET_ISSUER_CERT: 'the issuer of a certificate in the chain is missing',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'the issuer of the certificate is not trusted here',
  CERT_UNTRUSTED: 'the issuer of the certificate is not trusted here',
  CERT_SIGNATURE_FAILURE: 'the signature of the certificate is wrong',
  INVALID_PURPOSE: 'the certificate is not meant for servers',
};

/** OpenSSL's reasons: their spelling differs between versions, the telling words do not. */
const HANDSHAKE: readonly (readonly [RegExp, string])[] = [
  [/NO_APPLICATION_PROTOCOL/, 'the target speaks no HTTP/1.1 here, perhaps HTTP/2 only'],
  [/ALERT_CERTIFICATE_REQUIRED/, 'the target demands a client certificate'],
  [/ALERT_(BAD_CERTIFICATE|CERTIFICATE|UNKNOWN_CA)/, 'the target refuses our client certificate'],
  [/WRONG_VERSION|PACKET_LENGTH|UNEXPECTED_MESSAGE/, 'the target does not speak TLS on this port'],
  [/UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION|TOO_LOW/, 'the target speaks no TLS version from 1.2 on'],
  [/UNRECOGNIZED_NAME/, 'the target does not serve this host name'],
  [/MD_TOO_WEAK|SIGNATURE_TYPE|DIGEST/, 'the certificate is signed with too weak a digest'],
  [/KEY_TOO_SMALL/, 'the key of the certificate is too short'],
  [
    /HANDSHAKE_FAILURE/,
    'the target refuses the handshake: no common cipher, or it demands a client certificate',
  ],
];

const VERIFY_CODES =
  /^(CERT|CRL|UNABLE_TO|DEPTH_ZERO|SELF_SIGNED|HOSTNAME|INVALID_(CA|PURPOSE)|PATH_LENGTH|EE_KEY|CA_)/;

/** Whether an error code is about TLS: a failed verification, or an alert or error of OpenSSL. */
export const isTlsError = (code: string): boolean =>
  code.startsWith('ERR_SSL_') ||
  code.startsWith('ERR_TLS_') ||
  code === 'EPROTO' ||
  VERIFY_CODES.test(code);

const wordsFor = (code: string): string =>
  CERTIFICATE[code] ??
  HANDSHAKE.find(([pattern]) => pattern.test(code))?.[1] ??
  'the handshake failed';

export const tlsProblem = (code: string): Problem => ({
  code: 'tls',
  detail: `${wordsFor(code)} (${code})`,
});

/** A clock outside of these years is wrong, whatever a certificate says. */
const PLAUSIBLE = { from: 1_767_225_600_000 /* 2026 */, until: 3_345_062_400_000 /* 2076 */ };

const DATED = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);

/** A certificate that was not accepted, judged at `now` (ms since the epoch) by this machine's clock. */
export const certificateProblem = (code: string, now: number): Problem => {
  const isPlausible = now >= PLAUSIBLE.from && now < PLAUSIBLE.until;
  if (isPlausible || !DATED.has(code)) return tlsProblem(code);
  return {
    code: 'checker_clock',
    detail: `${wordsFor(code)}, but the clock here is wrong (${code})`,
  };
};
