import { createRequire } from 'node:module';
import { cruise, type ICruiseResult, type IFlattenedRuleSet } from 'dependency-cruiser';
import { describe, expect, it } from 'vitest';

const config = createRequire(import.meta.url)('../../.dependency-cruiser.cjs') as {
  forbidden: IFlattenedRuleSet['forbidden'];
  options: object;
};

const cruised = async (root: string, base: string) => {
  const { output } = await cruise([root], {
    ...config.options,
    ruleSet: { forbidden: config.forbidden ?? [] },
    validate: true,
    baseDir: base,
  });
  const { summary, modules } = output as ICruiseResult;
  return {
    modules: modules.filter((module) => module.source.startsWith('src/')).length,
    broken: summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`),
  };
};

/** Every file of the tree is parsed: seconds, on a machine that is busy with other tests. */
const WHOLE_TREE_MS = 60_000;

describe('the floor plan', () => {
  it('is kept by every import in src', { timeout: WHOLE_TREE_MS }, async () => {
    const { modules, broken } = await cruised('src', process.cwd());
    expect(broken).toEqual([]);
    // A cruise that reads nothing finds nothing wrong either.
    expect(modules).toBeGreaterThan(50);
  });

  it('is guarded: planted imports against the flow are named', async () => {
    const { broken } = await cruised('src', `${import.meta.dirname}/../fixtures/architecture`);
    expect(broken).toEqual([
      'admin-knows-no-worker: src/admin/publisher.ts -> src/worker/runner.ts',
      'domain-is-a-leaf: src/shared/domain/check.ts -> src/shared/rules/state.ts',
      'no-cycles: src/shared/domain/check.ts -> src/shared/rules/state.ts',
      'nobody-imports-the-app: src/worker/runner.ts -> src/app.ts',
      'roles-know-no-adapter: src/worker/runner.ts -> src/shared/coordination/kv-memory.ts',
      'rules-do-no-io: src/shared/rules/state.ts -> fs',
      'worker-knows-no-admin: src/worker/runner.ts -> src/app.ts',
    ]);
  });
});
