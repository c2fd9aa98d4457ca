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
  const found: Found = new Map();
  return {
    of: (stage) => new ItemReport(report, stage, found),
    finish(total) {
      for (const { source, at, code, message, hint, stages, same } of found.values()) {
        const suffix = same && stages.size === total ? '' : ` (for ${some([...stages])})`;
        report.add(source, at, code, `${message}${suffix}`, hint);
      }
    },
  };
}

type Found = Map<string, Shared>;

/** Takes the problems of one stage down among those of all. Its count is of its own. */
class ItemReport implements Report {
  count = 0;
  private readonly report: Report;
  private readonly stage: string;
  private readonly found: Found;

  constructor(report: Report, stage: string, found: Found) {
    this.report = report;
    this.stage = stage;
    this.found = found;
  }

  add(source: Source, at: Range, code: DiagnosticCode, message: string, hint?: string): void {
    this.count++;
    const key = `${source.file}\0${at.start}\0${code}\0${message.replaceAll(/'[^']*'|-?\d[\w.+-]*/g, '')}`;
    const before = this.found.get(key);
    if (before === undefined) {
      this.found.set(key, { source, at, code, message, hint, stages: new Set([this.stage]), same: true });
      return;
    }
    before.stages.add(this.stage);
    before.same &&= before.message === message;
  }

  addSecret(source: Source, at: Range, code: DiagnosticCode, message: string): void {
    this.count++;
    this.report.addSecret(source, at, code, message);
  }

  has(file: string): boolean {
    return this.report.has(file);
  }
}

/** A list as a person would say it: two by name, of more the first and how many else. */
function some([first, second, ...rest]: readonly string[]): string {
  if (second === undefined) return `${first}`;
  return rest.length === 0 ? `${first} and ${second}` : `${first} and ${rest.length + 1} more`;
}
