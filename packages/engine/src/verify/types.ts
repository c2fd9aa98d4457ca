import type { AnyPath, Failure, ProjectPath, RunKey, RunRecord, Stage } from '@dag/model';
import type { FetchItem, Project } from '../project.ts';
import type { StageTrace } from '../trace/report.ts';
import type { NumbersByKey } from './compare/numbers.ts';
import type { PathComparison } from './compare/out.ts';

/** What was found in a tree beside what the stage was to make there; paths from the root. */
export interface Strays {
  /** Files of git's that are other ones, or gone. */
  readonly changed: readonly ProjectPath[];
  readonly added: readonly ProjectPath[];
  /** Added, and ignored by git. */
  readonly ignored: readonly ProjectPath[];
}

/** A folder with what git has at one commit, in which one stage at a time runs. */
export interface CleanTree {
  /** The project opened there; its cache is one of its own, and is removed with it. */
  readonly project: Project;
  /** A folder beside it for what is compared. Absolute. */
  readonly beside: string;
  /** Makes it what the commit has again, and empties the folder beside it. */
  reset(): void;
  strays(): Strays;
}

/** Where content comes from that git does not have. */
export interface Originals {
  /** Puts content at its paths in a folder. @returns what is nowhere to be had. */
  bring(items: readonly FetchItem[], root: string): Promise<readonly AnyPath[]>;
  /** Why a remote could not be asked; undefined while there was nothing wrong. */
  failure(): Failure | undefined;
  /** Earlier runs with this key. */
  records(key: RunKey): Promise<readonly RunRecord[]>;
}

/** What came of running a stage again from the inputs that its lock entry names. */
export interface Rerun {
  readonly stage: Stage;
  readonly runs: readonly OneRun[];
  /** Where the record of the locked run says that it ran somewhere else: what differs. */
  readonly elsewhere: readonly ContextDifference[];
  /** Runs from the same inputs made other bytes than each other. */
  readonly varies: boolean;
}

export interface ContextDifference {
  readonly name: string;
  readonly before: string;
  readonly now: string;
}

/** One run. */
export type OneRun =
  /** `failure`: the remote that might have them can't be asked. */
  | { readonly status: 'no-inputs'; readonly missing: readonly AnyPath[]; readonly failure?: Failure | undefined }
  | {
      readonly status: 'failed';
      readonly failure: Failure;
      readonly tail: readonly string[];
      readonly seconds: number;
      readonly trace?: StageTrace | undefined;
    }
  | { readonly status: 'cancelled' }
  | {
      readonly status: 'ran';
      readonly seconds: number;
      /** What is not identical. */
      readonly differing: readonly PathComparison[];
      /** Outs that differ, of which what they were is nowhere to be had. */
      readonly unknown: readonly AnyPath[];
      /** Outs that hold the path of the folder in which it ran. */
      readonly holdsPath: readonly AnyPath[];
      /** The numbers in its metrics files. */
      readonly metrics: ReadonlyMap<AnyPath, NumbersByKey>;
      /** Deps that it changed itself. */
      readonly touched: readonly AnyPath[];
      readonly strays: Strays;
      readonly trace?: StageTrace | undefined;
    };
