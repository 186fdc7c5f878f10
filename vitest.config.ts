import { defineConfig } from 'vitest/config';

const POOLS = ['test/e2e/pool-*.test.ts'];
const PROCESSES = {
  globalSetup: ['test/support/fetch-programs.ts'],
  testTimeout: 60_000,
  pool: 'forks' as const,
};

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
          exclude: POOLS,
          ...PROCESSES,
          // Whole processes and real servers, which mostly wait.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'pools',
          include: POOLS,
          ...PROCESSES,
          // A dozen processes each: one file at a time, after everything else.
          fileParallelism: false,
          // They wait, for leases to end: where a file lets them, three go on at a time.
          maxConcurrency: 3,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
