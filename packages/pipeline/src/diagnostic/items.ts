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
  return new SharedProblems(report);
}

class SharedProblems implements ItemReports {
  readonly report: Report;
  private readonly found = new Map<string, Shared>();
  private taken = 0;

  constructor(report: Report) {
    this.report = report;
  }

  of(stage: string): Report {
    return new ItemReport(this, stage);
  }

  get count(): number {
    return this.report.count + this.taken;
  }

  add(stage: string, source: Source, at: Range, code: DiagnosticCode, message: string, hint: string | undefined): void {
    this.taken++;
    const key = `${source.file}\0${at.start}\0${code}\0${message.replaceAll(/'[^']*'|-?\d[\w.+-]*/g, '')}`;
    const before = this.found.get(key);
    if (before === undefined) {
      this.found.set(key, { source, at, code, message, hint, stages: new Set([stage]), same: true });
      return;
    }
    before.stages.add(stage);
    before.same &&= before.message === message;
  }

  finish(total: number): void {
    for (const { source, at, code, message, hint, stages, same } of this.found.values()) {
      const suffix = same && stages.size === total ? '' : ` (for ${some([...stages])})`;
      this.report.add(source, at, code, `${message}${suffix}`, hint);
    }
  }
}

class ItemReport implements Report {
  private readonly all: SharedProblems;
  private readonly stage: string;

  constructor(all: SharedProblems, stage: string) {
    this.all = all;
    this.stage = stage;
  }

  add(source: Source, at: Range, code: DiagnosticCode, message: string, hint?: string): void {
    this.all.add(this.stage, source, at, code, message, hint);
  }

  addSecret(source: Source, at: Range, code: DiagnosticCode, message: string): void {
    this.all.report.addSecret(source, at, code, message);
  }

  has(file: string): boolean {
    return this.all.report.has(file);
  }

  get count(): number {
    return this.all.count;
  }
}

/** A list as a person would say it: two by name, of more the first and how many else. */
function some([first, second, ...rest]: readonly string[]): string {
  if (second === undefined) return `${first}`;
  return rest.length === 0 ? `${first} and ${second}` : `${first} and ${rest.length + 1} more`;
}
