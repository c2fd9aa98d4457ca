import type { Reporter, TestCase, TestModule } from 'vitest/node';

/** Prints why tests were skipped, one line a reason, so that no run looks fuller than it was. */
export default class SkippedReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const reasons = new Map<string, number>();
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        const reason = reasonOf(test);
        reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      }
    }
    for (const [reason, tests] of reasons) {
      process.stdout.write(`skipped: ${reason} (${tests} ${tests === 1 ? 'test' : 'tests'})\n`);
    }
  }
}

function reasonOf(test: TestCase): string {
  const result = test.result();
  const note = result.state === 'skipped' ? result.note : undefined;
  return note ?? `no reason given: ${test.module.relativeModuleId}: ${test.fullName}`;
}
