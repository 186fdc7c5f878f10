import { expect, it } from 'vitest';
import { outcomeOfEntries } from '../../../../src/shared/sinks/aws/entry-outcome.ts';

const TARGET = { name: 'EventBridge in eu-west-1', permission: 'events:PutEvents on the bus b' };
const GOOD = { EventId: 'e' };
const failing = (ErrorCode: string) => ({ ErrorCode, ErrorMessage: 'said\nso' });
const outcomeFor = (
  ...entries: readonly { readonly ErrorCode?: string; readonly EventId?: string }[]
) =>
  outcomeOfEntries(
    {
      FailedEntryCount: entries.filter(({ ErrorCode }) => ErrorCode !== undefined).length,
      Entries: [...entries],
    },
    entries.length,
    TARGET,
  );

it('is delivered when no entry failed', () => {
  expect(outcomeFor(GOOD, GOOD)).toEqual({ kind: 'delivered' });
});

it('names the failed entries by their index, in one line each', () => {
  expect(
    outcomeFor(GOOD, failing('ThrottlingException'), GOOD, failing('MalformedDetail')),
  ).toEqual({
    kind: 'partial',
    failed: [
      { index: 1, retry: true, reason: 'ThrottlingException: said\\u{a}so' },
      { index: 3, retry: false, reason: 'MalformedDetail: said\\u{a}so' },
    ],
  });
});

it.each([
  ['ThrottlingException', true],
  ['InternalFailure', true],
  ['InternalException', true],
  ['ServiceUnavailable', true],
  ['LimitExceededException', true],
  ['InvalidArgument', false],
  ['MalformedDetail', false],
  ['NotAuthorizedForSourceException', false],
])('repeats an entry that failed with %s: %s', (code, retry) => {
  expect(outcomeFor(GOOD, failing(code))).toMatchObject({ failed: [{ index: 1, retry }] });
});

it('is denied when every entry was, and names the permission', () => {
  expect(outcomeFor(failing('AccessDeniedException'), failing('AccessDeniedException'))).toEqual({
    kind: 'denied',
    reason:
      'EventBridge in eu-west-1: AccessDeniedException: said\\u{a}so; needed: events:PutEvents on the bus b',
  });
});

it.each([
  ['nothing at all', {}],
  ['fewer entries', { FailedEntryCount: 1, Entries: [failing('InternalFailure')] }],
  ['a count and no entry that failed', { FailedEntryCount: 1, Entries: [GOOD, GOOD] }],
])('is repeated when the answer has %s', (_, answer) => {
  expect(outcomeOfEntries(answer, 2, TARGET)).toEqual({
    kind: 'retry',
    reason: 'EventBridge in eu-west-1: the answer does not tell of each entry',
  });
});
