/** What EventBridge's answer means, entry by entry: the SDK → **outcome** → delivery. Pure. */

import type { PutEventsCommandOutput, PutEventsResultEntry } from '@aws-sdk/client-eventbridge';
import { excerpt } from '../../rules/excerpt.ts';
import type { FailedItem, Outcome } from '../destination.ts';
import type { AwsTarget } from './outcome.ts';

type Answer = Pick<PutEventsCommandOutput, 'FailedEntryCount' | 'Entries'>;

const EXCERPT_BYTES = 200;
/** Throttling and faults of the service itself; whatever else is named is the entry's own fault. */
const PASSING = /^Throttling|^Internal|^ServiceUnavailable|LimitExceeded/;
const DENIED = /^AccessDenied|^InvalidAccountId/;

/** HTTP 200 tells nothing: each entry may have failed. They stand in the order of the request. */
export const outcomeOfEntries = (answer: Answer, count: number, target: AwsTarget): Outcome => {
  const { FailedEntryCount: failures, Entries: entries = [] } = answer;
  if (failures === 0) return { kind: 'delivered' };
  const failed = entries.flatMap((entry, index) => failedItem(entry, index));
  if (failures === undefined || entries.length !== count || failed.length === 0)
    return { kind: 'retry', reason: `${target.name}: the answer does not tell of each entry` };
  if (failed.length === count && entries.every(({ ErrorCode = '' }) => DENIED.test(ErrorCode)))
    return {
      kind: 'denied',
      reason: `${target.name}: ${failed[0]?.reason}; needed: ${target.permission}`,
    };
  return { kind: 'partial', failed };
};

const failedItem = (
  { ErrorCode: code, ErrorMessage: message = '' }: PutEventsResultEntry,
  index: number,
): readonly FailedItem[] => {
  if (code === undefined) return [];
  const reason = `${code}: ${excerpt(message, EXCERPT_BYTES)}`;
  return [{ index, retry: PASSING.test(code), reason }];
};
