import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  plainAddress,
  refusedAddress,
  refusedHost,
} from '../../../src/shared/rules/address-policy.ts';

describe('the address policy', () => {
  it.each([
    '127.0.0.1',
    '10.0.0.1',
    '192.168.1.1',
    '172.16.0.1',
    '100.64.0.1',
    '8.8.8.8',
    '1.0.0.1',
    '223.255.255.255',
    '240.0.0.1',
    '169.253.255.255',
    '169.255.0.0',
    '::1',
    'fc00::1',
    'fd00:ec2::253',
    'fec0::1',
    '2001:db8::1',
    '::ffff:127.0.0.1',
    '64:ff9b::8.8.8.8',
  ])('allows %s', (address) => {
    expect(isIP(address)).not.toBe(0);
    expect(refusedAddress(address)).toBeNull();
  });

  it.each([
    ['169.254.169.254', /metadata/],
    ['169.254.170.2', /metadata/],
    ['168.63.129.16', /metadata/],
    ['100.100.100.200', /metadata/],
    ['fd00:ec2::254', /metadata/],
    ['FD00:0EC2:0:0:0:0:0:0254', /metadata/],
    ['fd20:ce::254', /metadata/],
    ['::ffff:169.254.169.254', /metadata/],
    ['::ffff:a9fe:a9fe', /metadata/],
    ['::a9fe:a9fe', /metadata/],
    ['64:ff9b::a9fe:a9fe', /metadata/],
    ['2002:a9fe:a9fe::1', /metadata/],
    ['169.254.0.0', /link-local/],
    ['169.254.255.255', /link-local/],
    ['fe80::1', /link-local/],
    ['febf:ffff::1', /link-local/],
    ['fe80::1%eth0', /link-local/],
    ['0.0.0.0', /0\.0\.0\.0/],
    ['0.1.2.3', /0\.0\.0\.0/],
    ['::', /unspecified/],
    ['224.0.0.1', /multicast/],
    ['239.255.255.255', /multicast/],
    ['ff02::1', /multicast/],
    ['::ffff:224.0.0.1', /multicast/],
    ['255.255.255.255', /broadcast/],
  ])('refuses %s', (address, why) => {
    expect(refusedAddress(address)).toMatch(why);
  });

  it('sees through every IPv6 spelling of a refused IPv4 address', () => {
    const zeros = fc.constantFrom('::ffff:', '0:0:0:0:0:ffff:', '0000::FFFF:', '::', '64:ff9b::');
    const tail = fc.tuple(fc.nat(255), fc.nat(255));
    fc.assert(
      fc.property(zeros, tail, fc.boolean(), (prefix, [c, d], isHex) => {
        const hex = `a9fe:${((c << 8) | d).toString(16)}`;
        const address = prefix + (isHex ? hex : `169.254.${c}.${d}`);
        expect(isIP(address)).toBe(6);
        expect(refusedAddress(address)).not.toBeNull();
        expect(plainAddress(address)).toBe(`169.254.${c}.${d}`);
      }),
    );
  });

  it('refuses the names of metadata services wherever they lead', () => {
    expect(refusedHost('metadata.google.internal')).toMatch(/metadata/);
    expect(refusedHost('metadata.google.internal.')).toMatch(/metadata/);
    expect(refusedHost('google.internal')).toBeNull();
  });
});
