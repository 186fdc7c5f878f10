import { describe, expect, it } from 'vitest';
import { formatAddress, parseListen, refuseExposed } from '../../../src/shared/http/listen.ts';
import { isLoopback } from '../../../src/shared/rules/loopback.ts';

describe('an address to listen on', () => {
  it.each([
    ['9464', '127.0.0.1', 9464],
    [':8080', '127.0.0.1', 8080],
    ['localhost:0', 'localhost', 0],
    ['127.0.0.2:80', '127.0.0.2', 80],
    ['[::1]:9464', '::1', 9464],
    ['0.0.0.0:9464', '0.0.0.0', 9464],
  ])('is read from %s', (text, host, port) => {
    expect(parseListen(text)).toEqual({ host, port });
  });

  it.each([
    '',
    'localhost',
    'localhost:',
    '::1:9464',
    '1.2.3.4:70000',
    'http://a:1',
    '[zz]:1',
    'a b:1',
  ])('is not read from "%s"', (text) => {
    expect(() => parseListen(text)).toThrow(expect.objectContaining({ code: 'WCH_SETTINGS' }));
  });

  it('is written with brackets when it is an IPv6 address', () => {
    expect(formatAddress({ host: '::1', port: 1 })).toBe('[::1]:1');
    expect(formatAddress({ host: '127.0.0.1', port: 1 })).toBe('127.0.0.1:1');
  });

  it.each([
    ['localhost', true],
    ['LOCALHOST', true],
    ['127.9.8.7', true],
    ['::1', true],
    ['::ffff:127.0.0.1', true],
    ['0.0.0.0', false],
    ['::', false],
    ['10.0.0.1', false],
    ['localhost.evil.example', false],
    ['', false],
  ])('%s: is loopback: %s', (host, expected) => {
    expect(isLoopback(host)).toBe(expected);
  });
});

describe('an address that other machines reach', () => {
  const tls = { cert: 'pem', key: 'pem' };

  it.each([{}, { tls }, { token: 'secret' }])('is refused with only %j', (protection) => {
    const refuse = () => refuseExposed({ host: '0.0.0.0', port: 9464 }, protection);
    expect(refuse).toThrow(/listen: 0\.0\.0\.0:9464 .*TLS and a token/);
  });

  it('is accepted with TLS and a token', () => {
    expect(() => refuseExposed({ host: '::', port: 1 }, { tls, token: 'secret' })).not.toThrow();
  });
});
