/** The port of name resolution: target -> **addresses** -> connection. */

import type { Problem } from './problem.ts';

export type IpFamily = 'any' | 4 | 6;

/** Either addresses, in the order in which they are tried, or the problem. */
export interface Resolution {
  readonly addresses: readonly string[];
  readonly problem: Problem | null;
}

/** `cached` answers took no time; they may come before `resolve` returns. */
export type ResolutionCallback = (resolution: Resolution, cached: boolean) => void;

export interface Resolver {
  /** `host` is a name in lower case and punycode, never an address. */
  resolve(host: string, family: IpFamily, done: ResolutionCallback): void;
  close(): void;
}

const NOT_FOUND = new Set(['ENOTFOUND', 'ENODATA', 'EAI_NODATA', 'EAI_NONAME']);
const RESOURCES = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS', 'EAI_MEMORY']);

/** A name that does not exist is the target's fault; every other failure is the resolver's. */
export const resolverProblem = (host: string, code: string): Problem => {
  if (NOT_FOUND.has(code)) {
    return { code: 'dns_not_found', detail: `${host}: the name does not exist or has no address` };
  }
  if (RESOURCES.has(code)) {
    return { code: 'checker_resources', detail: `${host}: no descriptors or memory to resolve it` };
  }
  if (code === 'EBADNAME') return { code: 'checker_settings', detail: `${host}: not a valid name` };
  return { code: 'checker_resolver', detail: `${host}: the resolver cannot tell (${code})` };
};
