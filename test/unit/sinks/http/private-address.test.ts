import { expect, it } from 'vitest';
import { isPrivateAddress } from '../../../../src/shared/sinks/http/private-address.ts';

it.each([
  ['127.0.0.1', true],
  ['127.255.0.9', true],
  ['10.1.2.3', true],
  ['172.16.0.1', true],
  ['172.31.255.255', true],
  ['192.168.7.7', true],
  ['::1', true],
  ['fd12:3456::1', true],
  ['fc00::1', true],
  ['8.8.8.8', false],
  ['172.32.0.1', false],
  ['192.169.0.1', false],
  ['11.0.0.1', false],
  ['2606:4700::1111', false],
  ['::2', false],
  ['', false],
  ['localhost', false],
])('takes %s for private: %s', (address, expected) => {
  expect(isPrivateAddress(address)).toBe(expected);
});
