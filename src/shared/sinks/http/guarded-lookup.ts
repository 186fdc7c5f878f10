/**
 * Name → addresses that the policy allows. The system's resolver is asked, by whatever the machine is
 * set up with; each question takes a thread that files need, too, until it is answered, which a dead
 * resolver takes long for. So a name is asked for once at a time, however many calls wait for it.
 */

import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import { refusedAddress } from '../../rules/address-policy.ts';
import { HttpFailure } from './failure.ts';

type Resolve = (host: string) => Promise<readonly LookupAddress[]>;

const bySystem: Resolve = (host) => lookup(host, { all: true });

/** For sockets that try each address. Fails when the policy refuses them all. */
export const createGuardedLookup = (resolve: Resolve = bySystem): LookupFunction => {
  const asked = new Map<string, ReturnType<Resolve>>();
  const ask: Resolve = (host) => {
    const going = asked.get(host);
    if (going !== undefined) return going;
    const answer = resolve(host).finally(() => asked.delete(host));
    asked.set(host, answer);
    return answer;
  };
  return (host, _, callback) => {
    ask(host).then(
      (addresses) => {
        const allowed = addresses.filter(({ address }) => refusedAddress(address) === null);
        const [first] = addresses;
        if (allowed.length > 0 || first === undefined) callback(null, allowed);
        else callback(refused(host, refusedAddress(first.address) ?? ''), []);
      },
      (error) => callback(error, []),
    );
  };
};

export const refused = (host: string, why: string): HttpFailure =>
  new HttpFailure(`${host} is ${why}, which watcher never speaks to`, { isFinal: true });
