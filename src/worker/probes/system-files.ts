/**
 * The two files by which a machine says how names are resolved, /etc/hosts and /etc/resolv.conf, as
 * values. c-ares reads neither the first nor the search list of the second.
 */

import { isIP } from 'node:net';

/** Addresses by lower-case name, in the order of the file. */
export type HostsTable = ReadonlyMap<string, readonly string[]>;

export const parseHosts = (text: string): HostsTable => {
  const table = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [address = '', ...names] = line.replace(/#.*$/, '').trim().split(/\s+/);
    if (isIP(address) === 0) continue;
    for (const name of names) {
      const known = table.get(name.toLowerCase());
      if (known === undefined) table.set(name.toLowerCase(), [address]);
      else if (!known.includes(address)) known.push(address);
    }
  }
  return table;
};

export interface SearchList {
  readonly suffixes: readonly string[];
  /** A name with at least this many dots is tried as it is first. */
  readonly ndots: number;
}

export const NO_SEARCH: SearchList = { suffixes: [], ndots: 1 };

/** As resolv.conf(5): of `search` and `domain` the last one counts. */
export const parseResolvConf = (text: string): SearchList => {
  let { suffixes, ndots } = NO_SEARCH;
  for (const line of text.split('\n')) {
    const [keyword = '', ...words] = line.trim().split(/\s+/);
    if (keyword === 'search' || keyword === 'domain') {
      suffixes = words.map((word) => word.replace(/\.$/, '').toLowerCase()).filter(Boolean);
    }
    const option =
      keyword === 'options' ? words.find((word) => /^ndots:\d+$/.test(word)) : undefined;
    if (option !== undefined) ndots = Math.min(15, Number(option.slice('ndots:'.length)));
  }
  return { suffixes, ndots };
};

/** The names to ask for, in order, when a target says `host`. A trailing dot says: only this one. */
export const candidates = (host: string, { suffixes, ndots }: SearchList): readonly string[] => {
  if (host.endsWith('.')) return [host.slice(0, -1)];
  const suffixed = suffixes.map((suffix) => `${host}.${suffix}`);
  return host.split('.').length - 1 >= ndots ? [host, ...suffixed] : [...suffixed, host];
};
