/** What of etcd's health somebody should mend before it hurts, in plain words: health → **warnings** → log. */

import type { EtcdHealth, MemberHealth } from './health.ts';

/** Etcd's own default of `--quota-backend-bytes`. */
export const DEFAULT_QUOTA_BYTES = 2 * 1024 ** 3;

const DAY_MS = 86_400_000;
const CERTIFICATE_DAYS = 14;
/** Of the quota: a compaction and a defragmentation need time, and room. */
const MOST_USED = 0.5;
/** A pool of a hundred workers writes that many revisions within the hour: somebody compacts by then. */
const MANY_REVISIONS = 100_000;
/** The first with a fix for a renewal that succeeds though the lease was revoked. */
const SOUND_VERSIONS = { '3.5': 23, '3.6': 5 } as const;

/** `now` is the wall clock. */
export const warningsOf = (health: EtcdHealth, now: number): readonly string[] => [
  ...health.members.flatMap((member) => memberWarnings(member, health.quotaBytes)),
  ...compactionWarnings(health),
  ...certificateWarnings(health.certificateEndsAt, now),
];

const memberWarnings = ({ endpoint, answer }: MemberHealth, quotaBytes: number): string[] => {
  if (answer === null) return [`etcd at ${endpoint} does not answer`];
  const { version, alarms, dbBytes } = answer;
  const warnings = alarms.map((alarm) => `etcd at ${endpoint} ${alarmText(alarm)}`);
  if (!isSound(version))
    warnings.push(
      `etcd at ${endpoint} is ${version}, which may renew a lease that has ended: use 3.5.23, 3.6.5 or newer`,
    );
  const used = dbBytes / quotaBytes;
  if (used > MOST_USED)
    warnings.push(
      `etcd at ${endpoint} uses ${Math.round(used * 100)} % of its quota of ${mebi(quotaBytes)} MiB: compact and defragment it, or raise --quota-backend-bytes`,
    );
  return warnings;
};

const mebi = (bytes: number): number => Math.round(bytes / 1024 ** 2);

const alarmText = (alarm: string): string => {
  if (alarm.includes('NOSPACE'))
    return 'is full and takes no writes: compact it, defragment it, and disarm its alarm';
  if (alarm.includes('CORRUPT'))
    return 'says that its data are corrupt: replace the member that the others disagree with';
  return `raises an alarm: ${alarm.trim()}`;
};

/** Of a version that cannot be read nothing is said. */
const isSound = (version: string): boolean => {
  const [, major, minor, patch] = /^(\d+)\.(\d+)\.(\d+)/.exec(version) ?? [];
  if (major === undefined) return true;
  const [x, y, z] = [Number(major), Number(minor), Number(patch)];
  if (x !== 3) return x > 3;
  if (y === 5) return z >= SOUND_VERSIONS['3.5'];
  if (y === 6) return z >= SOUND_VERSIONS['3.6'];
  return y > 6;
};

const compactionWarnings = ({ members, hasBeenCompacted }: EtcdHealth): string[] => {
  const revision = Math.max(0, ...members.map(({ answer }) => answer?.revision ?? 0));
  if (hasBeenCompacted !== false || revision < MANY_REVISIONS) return [];
  return [
    `etcd has kept all of its ${revision} revisions: auto-compaction seems off; start it with --auto-compaction-mode=periodic --auto-compaction-retention=1h`,
  ];
};

const certificateWarnings = (endsAt: number | null, now: number): string[] => {
  if (endsAt === null) return [];
  const days = Math.floor((endsAt - now) / DAY_MS);
  if (days < 0) return ['the client certificate for etcd has ended: renew it'];
  if (days >= CERTIFICATE_DAYS) return [];
  return [`the client certificate for etcd ends in ${days} days: renew it`];
};
