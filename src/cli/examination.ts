/** Tests that run side by side, each for a limited time: tests → **findings** → lines. */

import type { Clock } from '../shared/runtime/clock.ts';
import type { Verification } from '../shared/sinks/destination.ts';

export interface Test {
  readonly name: string;
  /** Who needs what is tested; empty: watcher itself. */
  readonly usedBy: string;
  run(signal: AbortSignal): Promise<Verification>;
}

export interface Finding extends Verification {
  readonly name: string;
  readonly usedBy: string;
}

export interface Examination {
  readonly clock: Pick<Clock, 'after'>;
  readonly limitMs: number;
  /** Hears of each as it comes, or, `inOrder`, when all before it have come. */
  readonly onFinding: (finding: Finding) => void;
  readonly inOrder: boolean;
}

/** In the order of the tests. */
export const examine = async (
  tests: readonly Test[],
  { clock, limitMs, onFinding, inOrder }: Examination,
): Promise<readonly Finding[]> => {
  const running = tests.map(async (test): Promise<Finding> => {
    const { name, usedBy } = test;
    const finding = { name, usedBy, ...(await within(limitMs, { test, clock })) };
    if (!inOrder) onFinding(finding);
    return finding;
  });
  const findings: Finding[] = [];
  for (const one of running) {
    const finding = await one;
    findings.push(finding);
    if (inOrder) onFinding(finding);
  }
  return findings;
};

const within = async (
  limitMs: number,
  { test, clock }: { readonly test: Test; readonly clock: Examination['clock'] },
): Promise<Verification> => {
  const ending = new AbortController();
  const late = Promise.withResolvers<Verification>();
  const timer = clock.after(limitMs, () => {
    late.resolve({ state: 'failed', message: `no answer within ${limitMs / 1000} s` });
    ending.abort();
  });
  try {
    return await Promise.race([late.promise, test.run(ending.signal)]);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { state: 'failed', message };
  } finally {
    timer.cancel();
  }
};
