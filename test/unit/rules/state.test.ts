import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Status, Transition, Verdict } from '../../../src/shared/domain/result.ts';
import { type CheckState, fold, PENDING } from '../../../src/shared/rules/state.ts';

const verdict = (status: Status): Verdict => ({
  status,
  code: status === 'ok' ? null : 'assertion',
  reason: status === 'ok' ? null : `why ${status}`,
  values: { n: 1 },
});

const story = (statuses: readonly Status[], failAfter = 1) => {
  let state: CheckState = PENDING;
  const shown: string[] = [];
  const transitions: Transition[] = [];
  statuses.forEach((status, n) => {
    const folded = fold(state, verdict(status), { failAfter, at: n * 1000 });
    state = folded.state;
    shown.push(folded.verdict.status);
    if (folded.transition) transitions.push(folded.transition);
  });
  return { state, shown, transitions };
};
const changes = (statuses: readonly Status[], failAfter = 1) =>
  story(statuses, failAfter).transitions.map(({ from, to }) => `${from}>${to}`);

describe('the state of a check', () => {
  it('is critical at once by default', () => {
    expect(story(['ok', 'critical']).transitions).toEqual([
      { from: 'ok', to: 'critical', at: 1000, reason: 'why critical' },
    ]);
  });

  it('is warning, and says how far, until fail_after bad runs in a row', () => {
    const { shown } = story(['ok', 'critical', 'critical', 'critical', 'critical'], 3);
    expect(shown).toEqual(['ok', 'warning', 'warning', 'critical', 'critical']);
    const first = fold(PENDING, verdict('critical'), { failAfter: 3, at: 0 });
    expect(first.verdict).toEqual({
      ...verdict('critical'),
      status: 'warning',
      reason: '1 of 3: why critical',
    });
  });

  it('counts anew after an ok run', () => {
    expect(story(['critical', 'critical', 'ok', 'critical', 'critical'], 3).shown.at(-1)).toBe(
      'warning',
    );
  });

  it('lets an unknown run neither add to the bad ones nor end their row', () => {
    expect(story(['critical', 'unknown', 'critical'], 2).shown).toEqual([
      'warning',
      'unknown',
      'critical',
    ]);
    expect(story(['unknown', 'unknown', 'critical'], 2).shown.at(-1)).toBe('warning');
  });

  it('passes a verdict that fail_after does not concern on as it is', () => {
    const ok = verdict('ok');
    expect(fold(PENDING, ok, { failAfter: 3, at: 0 }).verdict).toBe(ok);
  });

  it('keeps `since` while the status stays', () => {
    expect(story(['critical', 'critical', 'critical']).state).toEqual({
      status: 'critical',
      since: 0,
      bad: 3,
    });
    expect(story(['ok', 'critical', 'ok', 'ok']).state).toEqual({
      status: 'ok',
      since: 2000,
      bad: 0,
    });
  });
});

describe('a transition', () => {
  it('is there only when the shown status changes', () => {
    expect(changes(['ok', 'ok', 'critical', 'critical', 'unknown', 'critical', 'ok'])).toEqual([
      'ok>critical',
      'critical>unknown',
      'unknown>critical',
      'critical>ok',
    ]);
  });

  it('leads through warning when fail_after is above one', () => {
    expect(changes(['ok', 'critical', 'critical', 'ok'], 2)).toEqual([
      'ok>warning',
      'warning>critical',
      'critical>ok',
    ]);
  });

  it('is not made of a first result that is ok', () => {
    expect(changes(['ok', 'ok'])).toEqual([]);
  });

  it.each(['critical', 'unknown'] as const)('is made of a first result that is %s', (status) => {
    expect(changes([status])).toEqual([`pending>${status}`]);
  });

  it('chains with the others: each begins where the last one ended', () => {
    const statuses = fc.array(fc.constantFrom<Status>('ok', 'warning', 'critical', 'unknown'));
    fc.assert(
      fc.property(statuses, fc.integer({ min: 1, max: 4 }), (sequence, failAfter) => {
        const { shown, transitions } = story(sequence, failAfter);
        let last: string = shown[0] === 'ok' ? 'ok' : 'pending';
        for (const { from, to } of transitions) {
          expect(from).toBe(last);
          expect(to).not.toBe(from);
          last = to;
        }
        expect(shown.length === 0 || shown.at(-1) === last).toBe(true);
      }),
    );
  });
});
