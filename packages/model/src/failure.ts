import type { Digest } from './digest.ts';

/** Where in a text a problem stands. Lines and columns are 1-based, columns in code points; `length` of the marked text. */
export interface Span {
  readonly line: number;
  readonly column: number;
  readonly length: number;
}

/** A problem in a file that the user wrote, or that we wrote and something damaged. */
export interface Diagnostic {
  readonly code: DiagnosticCode;
  /** What is wrong, in the user's words; one sentence, no file or line in it. */
  readonly message: string;
  /** From the project root. */
  readonly file: string;
  readonly span?: Span;
  /** The line that the span is on, as it stands in the file. */
  readonly sourceLine?: string;
  /** What to write or do instead. */
  readonly hint?: string;
}

export type DiagnosticCode =
  | 'syntax'
  | 'unknown-key'
  | 'wrong-type'
  | 'bad-value'
  | 'template'
  | 'param'
  | 'bad-path'
  | 'duplicate'
  | 'overlap'
  | 'cycle'
  | 'bad-lock'
  | 'conflict'
  /** A dep, param, folder or module that a stage names is not there, and nothing makes it. */
  | 'missing-dep';

/**
 * What can go wrong that is not a bug. The class decides the exit status (CONTRACT: usage 2, work 1, surroundings 3).
 * A closed list: each code has one meaning, one class and one snapshot of its text.
 */
export type Failure =
  /** Exit 2: pipeline.yaml, params or lock don't hold together. */
  | { readonly code: 'invalid-pipeline'; readonly diagnostics: readonly Diagnostic[] }
  /** Exit 2: wrong words on the command line, an unknown target, remote or revision, and the like. */
  | { readonly code: 'usage'; readonly message: string; readonly hint?: string }
  /** Exit 2: a dep that is not there and that nothing makes. */
  | { readonly code: 'missing-dep'; readonly message: string; readonly path: string; readonly hint?: string }
  /** Exit 1: a stage's command failed, was killed, or didn't make its outs. */
  | {
      readonly code: 'stage-failed';
      readonly message: string;
      readonly stage: string;
      /** What it said last, where it said anything. */
      readonly last?: LastWords;
      readonly hint?: string;
    }
  /** Exit 1: some objects could not be moved, found or believed. */
  | {
      readonly code: 'objects-failed';
      readonly message: string;
      readonly failed: readonly ObjectFailure[];
      readonly hint?: string;
    }
  /** Exit 1: the work was refused as things stand (commit with changed deps, a checkout that would lose an edit). */
  | { readonly code: 'refused'; readonly message: string; readonly hint?: string }
  /** Exit 3: disk full, a file that can't be read or a folder that can't be written. */
  | { readonly code: 'io'; readonly message: string; readonly path?: string; readonly hint?: string }
  /** Exit 3: a remote that is out of reach, not there, or that refuses us. */
  | { readonly code: 'remote'; readonly message: string; readonly hint?: string }
  /** Exit 3: a stage wants more of something than this machine has. */
  | { readonly code: 'resources'; readonly message: string; readonly stage: string; readonly hint?: string }
  /** Exit 3: another process holds what is needed. */
  | { readonly code: 'locked'; readonly message: string; readonly hint?: string };

/** What a stage said last before it failed. */
export interface LastWords {
  /** Lines that it printed, oldest first: a few. */
  readonly output: readonly string[];
  /** Its last values, by name: a few. */
  readonly metrics: Readonly<Record<string, number | string>>;
}

/** One object that could not be handled, by the path under which the user knows it. */
export interface ObjectFailure {
  readonly path: string;
  readonly digest: Digest;
  readonly reason: string;
}

/** Carries a Failure up to the border (the CLI), where it is rendered once. */
export class FailureError extends Error {
  readonly failure: Failure;
  constructor(failure: Failure, options?: { cause?: unknown }) {
    super(
      failure.code === 'invalid-pipeline' ? (failure.diagnostics[0]?.message ?? failure.code) : failure.message,
      options,
    );
    this.name = 'FailureError';
    this.failure = failure;
  }
}
