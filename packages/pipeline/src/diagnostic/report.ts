import { byCodeUnit, type Diagnostic, type DiagnosticCode } from '@dag/model';
import type { Range } from '../yaml/node.ts';
import { locate, type Source } from './source.ts';

/** Takes problems down, each once. */
export interface Report {
  add(source: Source, at: Range, code: DiagnosticCode, message: string, hint?: string): void;
  /** A problem whose line holds a secret: the line is not shown. */
  addSecret(source: Source, at: Range, code: DiagnosticCode, message: string, hint?: string): void;
  /** Whether a file has problems. */
  has(file: string): boolean;
  /** How many problems were taken down so far; one that was there already counts again. */
  readonly count: number;
}

/** A report that can be read out. */
export interface FullReport extends Report {
  /** All problems, by file and place. */
  sorted(): Diagnostic[];
}

/** A report that says of each problem what it is a problem of: `stages.train.env: …`. */
export function named(report: Report, name: string): Report {
  return new NamedReport(report, name);
}

/** A class, since every stage takes some: an object of functions would be made of as many functions. */
class NamedReport implements Report {
  private readonly report: Report;
  private readonly name: string;

  constructor(report: Report, name: string) {
    this.report = report;
    this.name = name;
  }

  add(source: Source, at: Range, code: DiagnosticCode, message: string, hint?: string): void {
    this.report.add(source, at, code, `${this.name}: ${message}`, hint);
  }

  addSecret(source: Source, at: Range, code: DiagnosticCode, message: string, hint?: string): void {
    this.report.addSecret(source, at, code, `${this.name}: ${message}`, hint);
  }

  has(file: string): boolean {
    return this.report.has(file);
  }

  get count(): number {
    return this.report.count;
  }
}

export function newReport(): FullReport {
  let count = 0;
  const found = new Map<string, Diagnostic>();
  const files = new Set<string>();
  /** Lines that are not shown, whatever else is wrong on them. */
  const secrets = new Set<string>();
  const shown = ({ sourceLine, ...rest }: Diagnostic): Diagnostic =>
    sourceLine === undefined || secrets.has(`${rest.file}\0${rest.span?.line}`) ? rest : { ...rest, sourceLine };
  const secretHint = 'credentials belong in the environment or in a profile of the AWS configuration';
  return {
    addSecret(source, at, code, message, hint = secretHint) {
      count++;
      files.add(source.file);
      const { span } = locate(source, at);
      secrets.add(`${source.file}\0${span.line}`);
      found.set(`${source.file}\0${at.start}\0${message}`, {
        code,
        message,
        file: source.file,
        span,
        hint,
      });
    },
    add(source, at, code, message, hint) {
      count++;
      const key = `${source.file}\0${at.start}\0${message}`;
      if (found.has(key)) return;
      files.add(source.file);
      const place = locate(source, at);
      found.set(key, { code, message, file: source.file, ...place, ...(hint === undefined ? {} : { hint }) });
    },
    sorted() {
      return [...found.values()]
        .map(shown)
        .sort(
          (a, b) =>
            byCodeUnit(a.file, b.file) ||
            (a.span?.line ?? 0) - (b.span?.line ?? 0) ||
            (a.span?.column ?? 0) - (b.span?.column ?? 0),
        );
    },
    has: (file) => files.has(file),
    get count() {
      return count;
    },
  };
}
