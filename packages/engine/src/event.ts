import type { Artifact, Change, Decision, Failure, ProjectPath, RunRecord, StageAddress } from '@dag/model';
import type { Uncacheable } from './decide.ts';
import type { PastRun } from './history/past.ts';
import type { Variation } from './history/results.ts';
import type { Left } from './run/checkpoints.ts';
import type { StageTrace } from './trace/report.ts';

/** What happens while `repro` works, in order. Reporters render it; the engine itself prints nothing. */
export type ReproEvent =
  /** It is looked at, and holds a job slot until it is settled: it was skipped, restored or blocked, or has finished. */
  | { readonly event: 'turn'; readonly stage: StageAddress }
  /** Once a stage: what is done with it, and why. `planned` in a dry run. */
  | { readonly event: 'stage'; readonly stage: StageAddress; readonly decision: Decision; readonly planned: boolean }
  /** Its process starts; after `decision: run`. */
  | {
      readonly event: 'started';
      readonly stage: StageAddress;
      readonly command: string;
      /** Where its whole output is kept; absolute. */
      readonly log: string;
      /** 1 for the first try. */
      readonly attempt: number;
      /** What it goes on from, where an earlier try left something. */
      readonly resumed?: Left;
    }
  /** One line that its process wrote. */
  | {
      readonly event: 'output';
      readonly stage: StageAddress;
      readonly stream: 'stdout' | 'stderr';
      readonly line: string;
    }
  /** How far a worker is: from 0 to 1. */
  | { readonly event: 'progress'; readonly stage: StageAddress; readonly fraction: number; readonly text?: string }
  /** A number that a worker reports. */
  | {
      readonly event: 'metric';
      readonly stage: StageAddress;
      readonly name: string;
      readonly value: number;
      readonly step?: number;
    }
  /** A worker saved a checkpoint: it goes on from there, should it be ended. */
  | {
      readonly event: 'checkpoint';
      readonly stage: StageAddress;
      readonly step: number;
      readonly bytes: number;
      readonly seconds: number;
    }
  /** A stage that ran has ended. */
  | {
      readonly event: 'finished';
      readonly stage: StageAddress;
      readonly status: 'ok' | 'failed' | 'cancelled';
      /** The exit status of its command; undefined where a signal or a time limit ended it, or none was started. */
      readonly exitCode?: number;
      readonly seconds: number;
      readonly failure?: Failure;
      /** What its next run goes on from. */
      readonly left?: Left;
    }
  /** What a run of a stage touched, held against what it declares; before `finished`, once for each try. */
  | ({ readonly event: 'traced' } & StageTrace)
  /** Tracked data that had changed and is recorded anew; or that was gone, or stood as an entry that git has changed, and is put in place. */
  | {
      readonly event: 'data';
      readonly path: ProjectPath;
      readonly artifact: Artifact;
      readonly how: 'recorded' | 'restored' | 'followed';
    }
  /** It waits for paths that another process holds. */
  | { readonly event: 'waiting'; readonly stage?: StageAddress; readonly message: string }
  | { readonly event: 'warning'; readonly stage?: StageAddress; readonly message: string; readonly hint?: string };

/** How it went: each stage that was looked at stands in one list, in the order of the graph. */
export interface ReproSummary {
  /** Ran and succeeded. */
  readonly ran: readonly StageAddress[];
  /** Those among them whose result is not recorded, because a dep changed meanwhile. */
  readonly unrecorded: readonly StageAddress[];
  readonly restored: readonly StageAddress[];
  readonly skipped: readonly StageAddress[];
  readonly failed: readonly StageAddress[];
  readonly blocked: readonly StageAddress[];
  readonly cancelled: readonly StageAddress[];
  /** What made stages fail, in the order in which it happened, and what kept the locks from being written. */
  readonly failures: readonly Failure[];
  /** Seconds that the restored results took when they were made. */
  readonly savedSeconds: number;
}

/** What `why` says of one stage. */
export interface Explanation {
  readonly stage: StageAddress;
  readonly decision: Decision;
  /** The earlier run that is nearest to what would run now, and how the two differ; undefined when there is none. */
  readonly nearest?: { readonly record: RunRecord; readonly changes: readonly Change[] };
  /** Its last run, where that ended without a result and the stage is not settled. */
  readonly unfinished?: PastRun;
  /** What it would go on from. */
  readonly left?: Left;
  /** Set where runs with these inputs made different bytes. */
  readonly variation?: Variation;
  /** Why the stage has no part in the run cache; undefined where it has. */
  readonly uncacheable?: Uncacheable;
  /** What was compared and found equal: paths, `file:key`, names of variables. */
  readonly unchanged: {
    readonly deps: readonly string[];
    readonly params: readonly string[];
    readonly env: readonly string[];
    readonly outs: readonly string[];
  };
}
