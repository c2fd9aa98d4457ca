import type { Range } from '../node.ts';

/** What is wrong with a text, at a place. */
export interface SyntaxProblem {
  readonly at: Range;
  readonly message: string;
  readonly hint?: string;
  /** Set for a conflict marker. */
  readonly conflict?: boolean;
}
