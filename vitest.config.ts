import { defineConfig } from 'vitest/config';

// DAG_TEST_REPORT: a file that takes the results as JSON, for CI.
const report = process.env['DAG_TEST_REPORT'];

export default defineConfig({
  test: {
    setupFiles: ['./test/fuzz.ts'],
    include: ['packages/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    reporters: [
      'default',
      './test/report/skipped.ts',
      ...(report === undefined ? [] : ([['json', { outputFile: report }]] as ['json', { outputFile: string }][])),
    ],
  },
});
