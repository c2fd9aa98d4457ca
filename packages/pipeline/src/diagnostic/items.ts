import type { DiagnosticCode } from '@dag/model';
import type { Range } from '../yaml/node.ts';
import type { Report } from './report.ts';
import type { Source } from './source.ts';

/** The problems of all stages that one foreach or matrix makes: a mistake that many of them share is one problem. */
export interface ItemReports {
  /** Where the problems of one of the stages go. */
  of(stage: string): Report;
  /** Hands the problems on, each with the stages that it stands for. `total`: how many stages there are. */
  finish(total: number): void;
}

interface Shared {
  readonly source: Source;
  readonly at: Range;
  readonly code: DiagnosticCode;
  readonly message: string;
  readonly hint: string | undefined;
  readonly stages: Set<string>;
  /** Whether all of them fail in the very same words. */
  same: boolean;
}

export function itemReports(report: Report): ItemReports {
  const found = new Map<string, Shared>();
  let count = 0;
  return {
    of: (stage) => ({
      add(source, at, code, message, hint) {
        count++;
        const key = `${source.file}\0${at.start}\0${code}\0${message.replaceAll(/'[^']*'/g, '')}`;
        const before = found.get(key);
        if (before === undefined) {
          found.set(key, { source, at, code, message, hint, stages: new Set([stage]), same: true });
          return;
        }
        before.stages.add(stage);
        before.same &&= before.message === message;
      },
      addSecret: (source, at, code, message) => report.addSecret(source, at, code, message),
      has: (file) => report.has(file),
      get count() {
        return report.count + count;
      },
    }),
    finish(total) {
      for (const { source, at, code, message, hint, stages, same } of found.values()) {
        const suffix = same && stages.size === total ? '' : ` (for ${some([...stages])})`;
        report.add(source, at, code, `${message}${suffix}`, hint);
      }
    },
  };
}

/** A list as a person would say it: two by name, of more the first and how many else. */
function some([first, second, ...rest]: readonly string[]): string {
  if (second === undefined) return `${first}`;
  return rest.length === 0 ? `${first} and ${second}` : `${first} and ${rest.length + 1} more`;
}
