/**
 * Which addresses are never probed, whatever a check or a redirect says. Asked with the very address
 * that a socket is about to connect to, so that no spelling and no DNS answer gets round it.
 * Loopback and private networks are allowed: that is where most health checks live.
 */

const METADATA = 'a cloud metadata address';

const NEVER_V4: Readonly<Record<string, string>> = {
  '169.254.169.254': METADATA,
  '169.254.170.2': METADATA,
  '168.63.129.16': METADATA,
  '100.100.100.200': METADATA,
  '255.255.255.255': 'the broadcast address',
};

const refusalV4 = (address: string): string | null => {
  const first = Number(address.slice(0, address.indexOf('.')));
  if (first === 0) return 'an address of 0.0.0.0/8';
  if (first >= 224 && first <= 239) return 'a multicast address';
  const known = NEVER_V4[address];
  if (known !== undefined) return known;
  return address.startsWith('169.254.') ? 'a link-local address' : null;
};

/** The eight 16-bit groups of an IPv6 address in any valid spelling, without its zone. */
const groupsOf = (address: string): readonly number[] => {
  const dotted =
    address.lastIndexOf('.') === -1 ? null : address.slice(address.lastIndexOf(':') + 1);
  const hex = dotted === null ? address : address.slice(0, -dotted.length) + hexOf(dotted);
  const [head = '', tail] = hex.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = new Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0');
  return [...left, ...zeros, ...right].map((group) => Number.parseInt(group, 16));
};

const hexOf = (dotted: string): string => {
  const [a = 0, b = 0, c = 0, d = 0] = dotted.split('.').map(Number);
  return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
};

const dottedOf = (high: number, low: number): string =>
  `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;

/** The IPv4 address inside ::a.b.c.d, ::ffff:a.b.c.d, 64:ff9b::a.b.c.d and 2002:abcd::. */
const embeddedV4 = (groups: readonly number[]): string | null => {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = groups;
  if (a === 0x2002) return dottedOf(b, c);
  if (c !== 0 || d !== 0 || e !== 0) return null;
  if (a === 0x64 && b === 0xff9b && f === 0) return dottedOf(g, h);
  const compatible = a === 0 && b === 0 && (f === 0xffff || (f === 0 && g !== 0));
  return compatible ? dottedOf(g, h) : null;
};

const refusalV6 = (groups: readonly number[]): string | null => {
  const [a = 0] = groups;
  if ((a & 0xffc0) === 0xfe80) return 'a link-local address';
  if ((a & 0xff00) === 0xff00) return 'a multicast address';
  if (groups.every((group) => group === 0)) return 'the unspecified address';
  const isMetadata = a === 0xfd00 ? groups[1] === 0xec2 : a === 0xfd20 && groups[1] === 0xce;
  return isMetadata && groups[7] === 0x254 ? METADATA : null;
};

/** An IPv6 address that stands for an IPv4 one, as that one; every other address as it is. */
export const plainAddress = (address: string): string => {
  if (!address.includes(':')) return address;
  return embeddedV4(groupsOf(address.replace(/%.*$/, ''))) ?? address;
};

/** What is wrong with connecting to this IP address, or null when nothing is. */
export const refusedAddress = (address: string): string | null => {
  const plain = plainAddress(address);
  if (!plain.includes(':')) return refusalV4(plain);
  return refusalV6(groupsOf(plain.replace(/%.*$/, '')));
};

/** Names that lead to metadata services wherever they resolve to. */
const NEVER_NAMED = new Set(['metadata.google.internal', 'metadata.goog', 'instance-data']);

/** `host` in lower case, as a URL gives it. */
export const refusedHost = (host: string): string | null =>
  NEVER_NAMED.has(host.endsWith('.') ? host.slice(0, -1) : host) ? 'a cloud metadata name' : null;
