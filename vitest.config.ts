import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'contract',
          include: ['test/contract/**/*.test.ts'],
          // They wait for the leases of real servers most of the time.
          maxWorkers: 4,
        },
      },
      {
        extends: true,
        test: {
          name: 'scenarios',
          include: ['test/scenarios/**/*.test.ts', 'test/simulation/**/*.test.ts'],
          testTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/support/fetch-programs.ts'],
          testTimeout: 60_000,
          pool: 'forks',
          // Whole processes and real servers: after everything else, and one file at a time.
          fileParallelism: false,
          // Pools mostly wait, for leases to end: where a file lets them, two go on at a time.
          maxConcurrency: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
