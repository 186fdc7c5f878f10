/**
 * What etcd says about itself: members → **health** → warnings. Asked for at start and now and then, by
 * connections of its own; nothing depends on it.
 */

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { WatcherError } from '../../domain/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Revision } from '../kv.ts';
import { Calls } from './calls.ts';
import type { Epoch } from './epoch.ts';
import { type EtcdConnection, Members } from './members.ts';

export interface MemberHealth {
  readonly endpoint: string;
  /** Null when it did not answer in time. */
  readonly answer: {
    readonly version: string;
    /** Of its database file, which is what counts against the quota. */
    readonly dbBytes: number;
    /** As etcd words them: `memberID:… alarm:NOSPACE `. */
    readonly alarms: readonly string[];
    readonly revision: Revision;
  } | null;
}

export interface EtcdHealth {
  /** In the order of the endpoints. */
  readonly members: readonly MemberHealth[];
  /** Etcd does not tell it: as given, else etcd's own default. */
  readonly quotaBytes: number;
  /** Whether etcd has ever forgotten old revisions. Null when it cannot be known. */
  readonly hasBeenCompacted: boolean | null;
  /** Of the client certificate, ms since the epoch. Null without one. */
  readonly certificateEndsAt: number | null;
}

export interface HealthOptions {
  readonly connection: EtcdConnection;
  readonly clock: Clock;
  readonly callMs: number;
  readonly quotaBytes: number;
  readonly epoch: Epoch;
  readonly closed: AbortSignal;
  /** Reads something as it stood at etcd's first revision. */
  readonly readFirst: () => Promise<unknown>;
}

/** A member that does not answer is a part of the answer: it throws WCH_SETTINGS at most. */
export const askHealth = async (options: HealthOptions): Promise<EtcdHealth> => {
  const { connection, quotaBytes, readFirst } = options;
  const [members, hasBeenCompacted] = await Promise.all([
    Promise.all(connection.endpoints.map((endpoint) => askMember(endpoint, options))),
    isCompacted(readFirst),
  ]);
  const certificateEndsAt = endOf(connection.tls?.certFile);
  return { members, quotaBytes, hasBeenCompacted, certificateEndsAt };
};

const askMember = async (endpoint: string, options: HealthOptions): Promise<MemberHealth> => {
  const { connection, clock, callMs, epoch, closed } = options;
  using members = new Members(
    { ...connection, endpoints: [endpoint] },
    { purpose: 'health', first: 0, callMs, now: clock.now },
  );
  const plan = { what: 'asking for the status', withinMs: callMs, repeatable: true };
  try {
    const status = await new Calls({ members, clock, epoch, closed }).ask(
      plan,
      (client, callOptions) => client.maintenance.status(callOptions),
    );
    const { version, dbSize, errors, header } = status;
    const revision = Number(header.revision);
    return { endpoint, answer: { version, dbBytes: Number(dbSize), alarms: errors, revision } };
  } catch (error) {
    if (error instanceof WatcherError) return { endpoint, answer: null };
    throw error;
  }
};

/** The first revision is forgotten with the first compaction. */
const isCompacted = async (readFirst: () => Promise<unknown>): Promise<boolean | null> => {
  try {
    await readFirst();
    return false;
  } catch (error) {
    if (!(error instanceof WatcherError)) throw error;
    return error.code === 'WCH_STORE_COMPACTED' ? true : null;
  }
};

const endOf = (certFile: string | undefined): number | null => {
  if (certFile === undefined) return null;
  try {
    return new X509Certificate(readFileSync(certFile)).validToDate.getTime();
  } catch {
    // It is being written at this moment; one that stays broken shows in every call.
    return null;
  }
};
