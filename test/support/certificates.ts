/**
 * Certificates made on the spot, so that no test depends on a file that ends one day or on a program
 * that a machine lacks. A certificate is a signed DER structure; this writes the few parts it needs.
 */

import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';

export interface Certificate {
  /** PEM texts. */
  readonly cert: string;
  readonly key: string;
}

interface Issuer extends Certificate {
  readonly name: string;
  readonly privateKey: KeyObject;
}

export interface CertificateOptions {
  /** Names and IP addresses. Default: `localhost` and 127.0.0.1. */
  readonly hosts?: readonly string[];
  /** Days from now. Default: since yesterday, for 30 days. */
  readonly fromDays?: number;
  readonly untilDays?: number;
  /** Default: signed by itself. */
  readonly issuer?: Issuer;
  readonly isAuthority?: boolean;
  readonly name?: string;
}

const DAY_MS = 86_400_000;
const ECDSA_SHA256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const COMMON_NAME = [0x55, 0x04, 0x03];
const BASIC_CONSTRAINTS = [0x55, 0x1d, 0x13];
const ALTERNATIVE_NAMES = [0x55, 0x1d, 0x11];

/** A key on P-256 and its certificate. */
export function makeCertificate(options: CertificateOptions = {}): Issuer {
  const { name = `test ${randomBytes(4).toString('hex')}`, issuer } = options;
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const body = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    sequence(oid(ECDSA_SHA256)),
    nameOf(issuer?.name ?? name),
    sequence(time(options.fromDays ?? -1), time(options.untilDays ?? 30)),
    nameOf(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...extensionsOf(options))),
  );
  const signature = sign('sha256', body, issuer?.privateKey ?? privateKey);
  const der = sequence(body, sequence(oid(ECDSA_SHA256)), bitString(signature));
  return {
    name,
    privateKey,
    cert: pem('CERTIFICATE', der),
    key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
  };
}

/** Days from now at which a certificate made without options ends, as ms since the epoch. */
export const endOf = (untilDays: number, madeAt: number): number =>
  Math.floor((madeAt + untilDays * DAY_MS) / 1000) * 1000;

function extensionsOf({ hosts = ['localhost', '127.0.0.1'], isAuthority }: CertificateOptions) {
  if (isAuthority) {
    const constraints = sequence(tagged(0x01, Buffer.from([0xff])));
    return [
      sequence(oid(BASIC_CONSTRAINTS), tagged(0x01, Buffer.from([0xff])), octets(constraints)),
    ];
  }
  const names = hosts.map((host) =>
    isIP(host) === 4
      ? tagged(0x87, Buffer.from(host.split('.').map(Number)))
      : tagged(0x82, Buffer.from(host, 'ascii')),
  );
  return [sequence(oid(ALTERNATIVE_NAMES), octets(sequence(...names)))];
}

const nameOf = (name: string): Buffer =>
  sequence(tagged(0x31, sequence(oid(COMMON_NAME), tagged(0x0c, Buffer.from(name)))));

/** GeneralizedTime. */
const time = (days: number): Buffer => {
  const iso = new Date(Date.now() + days * DAY_MS).toISOString();
  return tagged(0x18, Buffer.from(`${iso.slice(0, 19).replace(/[-T:]/g, '')}Z`));
};

const integer = (bytes: Buffer): Buffer => tagged(0x02, bytes);
const oid = (bytes: readonly number[]): Buffer => tagged(0x06, Buffer.from(bytes));
const octets = (content: Buffer): Buffer => tagged(0x04, content);
const bitString = (bits: Buffer): Buffer => tagged(0x03, Buffer.concat([Buffer.from([0]), bits]));
const sequence = (...parts: readonly Buffer[]): Buffer => tagged(0x30, Buffer.concat(parts));

function tagged(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size =
    length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const pem = (label: string, der: Buffer): string => {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
};
