import type { Failure } from '@dag/model';
import type { ProcessEnd } from './process.ts';

/** How the command or the module of a stage ended. */
export interface ActionEnd {
  readonly end: ProcessEnd;
  /** A failure that says more than the exit status. */
  readonly failure?: Failure;
  /** What it adds to the run record: the backend that ran, say. */
  readonly context?: Readonly<Record<string, string | number | boolean>>;
}
