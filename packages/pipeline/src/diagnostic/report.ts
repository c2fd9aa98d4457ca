import { byCodeUnit, type Diagnostic, type DiagnosticCode } from '@dag/model';
import type { Range } from '../yaml/node.ts';
import { locate, type Source } from './source.ts';

/** Takes problems down, each once. */
export interface Report {
  add(source: Source, at: Range, code: DiagnosticCode, message: string, hint?: string): void;
  /** A problem whose line holds a secret: the line is not shown. */
  addSecret(source: Source, at: Range, code: DiagnosticCode, message: string): void;
  /** All problems, by file and place. */
  sorted(): Diagnostic[];
  /** Whether a file has problems. */
  has(file: string): boolean;
  readonly count: number;
}

export function newReport(): Report {
  const found = new Map<string, Diagnostic>();
  const files = new Set<string>();
  const secretHint = 'credentials belong in the environment or in a profile of the AWS configuration';
  return {
    addSecret(source, at, code, message) {
      files.add(source.file);
      const { span } = locate(source, at);
      found.set(`${source.file}\0${at.start}\0${message}`, {
        code,
        message,
        file: source.file,
        span,
        hint: secretHint,
      });
    },
    add(source, at, code, message, hint) {
      const key = `${source.file}\0${at.start}\0${message}`;
      if (found.has(key)) return;
      files.add(source.file);
      const place = locate(source, at);
      found.set(key, { code, message, file: source.file, ...place, ...(hint === undefined ? {} : { hint }) });
    },
    sorted() {
      return [...found.values()].sort(
        (a, b) =>
          byCodeUnit(a.file, b.file) ||
          (a.span?.line ?? 0) - (b.span?.line ?? 0) ||
          (a.span?.column ?? 0) - (b.span?.column ?? 0),
      );
    },
    has: (file) => files.has(file),
    get count() {
      return found.size;
    },
  };
}
