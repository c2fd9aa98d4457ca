import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// DAG_TEST_REPORT: a file that takes the results as JSON, for CI.
const report = process.env['DAG_TEST_REPORT'];

export default defineConfig({
  test: {
    // Many tests wait for processes and servers: with two cores, one file at a time leaves half of them idle.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    setupFiles: ['./test/fuzz.ts'],
    include: ['packages/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    // These end what hangs, and nothing else: a machine may be as slow and as busy as it likes.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    teardownTimeout: 60_000,
    expect: { poll: { timeout: 300_000, interval: 20 } },
    reporters: [
      'default',
      './test/report/skipped.ts',
      ...(report === undefined ? [] : ([['json', { outputFile: report }]] as ['json', { outputFile: string }][])),
    ],
  },
});
