import { describe, expect, it } from 'vitest';
import {
  NetworkWitness,
  type SuspicionChange,
} from '../../../src/shared/rules/network-suspicion.ts';

const MINUTE = 60_000;

/** `hosts` hosts, each run once a minute, a network of their own, and what the witness said. */
const fleet = (hosts: number) => {
  const witness = new NetworkWitness();
  const said: [at: number, change: SuspicionChange][] = [];
  let now = 0;
  /** One minute of runs; `fails` says which hosts fail at network level. */
  const minute = (fails: (host: number) => boolean): boolean[] => {
    const start = now;
    return Array.from({ length: hosts }, (_, host) => {
      now = start + Math.floor((host * MINUTE) / hosts);
      const change = witness.record(`host-${host}`, now, fails(host));
      if (change) said.push([now, change]);
      const suspected = witness.suspects(now);
      if (host === hosts - 1) now = start + MINUTE;
      return suspected;
    });
  };
  return { witness, said, minute };
};
const none = () => false;
const all = () => true;

describe('the network here', () => {
  it('is suspected once half of the hosts have begun to fail, until they are well again', () => {
    const { said, minute } = fleet(10);
    minute(none);
    expect(minute(all)).toEqual([false, false, false, false, true, true, true, true, true, true]);
    expect(minute(all)).toEqual(Array(10).fill(true));
    for (let n = 0; n < 10; n++) expect(minute(all).every(Boolean)).toBe(true);
    minute(none);
    expect(said.map(([, change]) => change)).toEqual(['entered', 'left']);
    expect(minute(none)).toEqual(Array(10).fill(false));
  });

  it('stays suspected while most hosts fail, though some answer', () => {
    const { said, minute } = fleet(10);
    minute(none);
    minute((host) => host < 7);
    for (let n = 0; n < 10; n++) expect(minute((host) => host < 7).every(Boolean)).toBe(true);
    expect(said.map(([, change]) => change)).toEqual(['entered']);
  });

  it('is judged by the hosts of the last minute only', () => {
    const witness = new NetworkWitness();
    const round = (name: string, count: number, at: number, failed: boolean) =>
      Array.from({ length: count }, (_, n) => witness.record(`${name}-${n}`, at, failed));
    round('old', 8, 0, false);
    round('old', 1, 30_000, false);
    round('new', 5, 31_000, false);
    expect(round('new', 5, 80_000, true)).toEqual([null, null, 'entered', null, null]);
  });

  it('is not suspected when fewer than half fail', () => {
    const { said, minute } = fleet(10);
    minute(none);
    for (let n = 0; n < 5; n++) minute((host) => host < 4);
    expect(said).toEqual([]);
  });

  it('is not suspected over fewer than five hosts', () => {
    const { said, minute } = fleet(4);
    minute(none);
    minute(all);
    expect(said).toEqual([]);
  });

  it('is suspected over five', () => {
    const { said, minute } = fleet(5);
    minute(none);
    minute(all);
    expect(said.map(([, change]) => change)).toEqual(['entered']);
  });

  it('is not suspected for hosts that were never seen well', () => {
    const { said, minute } = fleet(10);
    for (let n = 0; n < 5; n++) minute(all);
    expect(said).toEqual([]);
  });

  it('is not suspected when hosts fall one after the other over hours', () => {
    const { said, minute } = fleet(10);
    minute(none);
    for (let down = 1; down <= 10; down++)
      for (let n = 0; n < 10; n++) minute((host) => host < down);
    expect(said).toEqual([]);
  });

  it('is suspected when the rest falls, though most hosts were down for long', () => {
    const { said, minute } = fleet(20);
    minute(none);
    for (let n = 0; n < 10; n++) minute((host) => host < 8);
    expect(said).toEqual([]);
    minute(all);
    expect(said.map(([, change]) => change)).toEqual(['entered']);
  });

  it('is no excuse any more for a host that stays down after the others are back', () => {
    const { said, minute } = fleet(10);
    minute(none);
    minute(all);
    minute((host) => host === 9);
    expect(said.map(([, change]) => change)).toEqual(['entered', 'left']);
    expect(minute((host) => host === 9)[9]).toBe(false);
  });

  it('counts many checks of one host once', () => {
    const witness = new NetworkWitness();
    for (let n = 0; n < 10; n++) witness.record('one', n, false);
    for (let n = 0; n < 4; n++) witness.record(`other-${n}`, n, false);
    for (let n = 0; n < 100; n++) expect(witness.record('one', 1000 + n, true)).toBeNull();
  });

  it('stays suspected between two rounds of checks that run every five minutes', () => {
    const witness = new NetworkWitness();
    const round = (at: number, failed: boolean) =>
      Array.from({ length: 10 }, (_, host) => witness.record(`host-${host}`, at + host, failed));
    round(0, false);
    expect(round(5 * MINUTE, true)).toContain('entered');
    round(10 * MINUTE, true);
    expect(witness.suspects(10 * MINUTE + 10)).toBe(true);
    expect(round(15 * MINUTE, false)).toContain('left');
  });

  it('forgets hosts past 200,000, those seen longest ago first', () => {
    const witness = new NetworkWitness(10);
    witness.record('first', 0, false);
    for (let n = 0; n < 200_000; n++) witness.record(`host-${n}`, 1 + n, false);
    for (let n = 0; n < 4; n++) witness.record(`host-${199_990 + n}`, 200_020, true);
    expect(witness.record('first', 200_020, true)).toBeNull();
    expect(witness.record('host-199999', 200_021, true)).toBe('entered');
  });
});
