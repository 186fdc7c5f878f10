/** The system's own resolver, for machines whose names come from NSS (LDAP, mDNS, systemd-resolved). */

import { lookup } from 'node:dns';
import {
  type IpFamily,
  type ResolutionCallback,
  type Resolver,
  resolverProblem,
} from './resolver.ts';

/**
 * Asks for each run, as the system does its own caching or none. The thread pool answers four questions
 * at a time unless UV_THREADPOOL_SIZE is raised.
 */
export const systemResolver: Resolver = {
  resolve: (host: string, family: IpFamily, done: ResolutionCallback): void => {
    lookup(host, { all: true, family: family === 'any' ? 0 : family }, (error, found) => {
      if (error !== null) {
        const problem = resolverProblem(host, error.code ?? error.message);
        return done({ addresses: [], problem }, false);
      }
      done({ addresses: found.map(({ address }) => address), problem: null }, false);
    });
  },
  close: () => {},
};
