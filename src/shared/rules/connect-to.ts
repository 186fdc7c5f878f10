/** `--connect-to HOST:PORT:ADDRESS:PORT`, as in curl: connect elsewhere, ask as if nothing changed. */

import { WatcherError } from '../domain/errors.ts';

/** Host and port that stand in for a target's own; null leaves them. */
export type ConnectTo = (host: string, port: number) => Place | null;

export interface Place {
  readonly host: string;
  readonly port: number;
}

interface Rule {
  /** Empty matches any host. */
  readonly host: string;
  /** Null matches any port. */
  readonly port: number | null;
  /** Empty keeps the target's own. */
  readonly toHost: string;
  readonly toPort: number | null;
}

const FORM = /^(\[[^\]]*\]|[^:[\]]*):(\d*):(\[[^\]]*\]|[^:[\]]*):(\d*)$/;

const usage = (text: string, problem: string): WatcherError =>
  new WatcherError(
    'WCH_USAGE',
    `--connect-to ${JSON.stringify(text)}: ${problem}. Write HOST:PORT:ADDRESS:PORT, IPv6 in brackets`,
  );

const hostOf = (text: string): string => text.replace(/^\[|\]$/g, '').toLowerCase();

const portOf = (digits: string, text: string): number | null => {
  if (digits === '') return null;
  const port = Number(digits);
  if (port < 1 || port > 65_535) throw usage(text, `${digits} is not a port`);
  return port;
};

const ruleOf = (text: string): Rule => {
  const parts = FORM.exec(text);
  if (parts === null) throw usage(text, 'it does not have four parts');
  const [, host = '', port = '', toHost = '', toPort = ''] = parts;
  if (toHost === '' && toPort === '') throw usage(text, 'it names no other place to connect to');
  return {
    host: hostOf(host),
    port: portOf(port, text),
    toHost: hostOf(toHost),
    toPort: portOf(toPort, text),
  };
};

/** The first rule that matches wins. Throws a WCH_USAGE error for a rule that cannot be read. */
export const parseConnectTo = (texts: readonly string[]): ConnectTo => {
  const rules = texts.map(ruleOf);
  return (host, port) => {
    for (const rule of rules) {
      if (rule.host !== '' && rule.host !== host) continue;
      if (rule.port !== null && rule.port !== port) continue;
      return { host: rule.toHost || host, port: rule.toPort ?? port };
    }
    return null;
  };
};
