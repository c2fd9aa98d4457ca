import type { AnyPath, Artifact, Failure, ProjectPath, StageAddress } from '@dag/model';
import type { PastRuns } from './critical-path.ts';
import type { Cached } from './decide.ts';
import type { ReproEvent } from './event.ts';
import type { GpuDemand } from './gpu/demand.ts';
import type { Gpus } from './gpu/gpus.ts';
import type { GpuMonitor } from './gpu/monitor.ts';
import type { Journal } from './history/journal.ts';
import type { Leases } from './leases.ts';
import type { Observer } from './observer.ts';
import type { CheckpointKeeper, Fetcher, Project } from './project.ts';
import type { Meter } from './run/meter.ts';
import type { Others } from './run/strays.ts';
import type { Tracer, TraceTools } from './trace/tracer.ts';

export interface ReproOptions {
  /** Run all of the selected stages, whatever is found. */
  readonly force?: boolean;
  /** Run what lies downstream of a stage that ran, even if its outs came out the same. */
  readonly forceDownstream?: boolean;
  /** Decide, say so, and touch nothing. */
  readonly dry?: boolean;
  readonly noRunCache?: boolean;
  /** Whether stages go on from the checkpoints of earlier tries; by default unless they are forced. */
  readonly resume?: boolean | undefined;
  readonly noCommit?: boolean;
  readonly allowMissing?: boolean;
  /** Record all tracked data that changed, whether or not a selected stage reads it. */
  readonly allData?: boolean;
  /** After a failure: `stop` starts nothing more, `keep-going` what doesn't need it, `ignore` even that. */
  readonly onFailure?: 'stop' | 'keep-going' | 'ignore';
  /** Take the selection in its own order, one by one, whatever depends on what. */
  readonly inGivenOrder?: boolean;
  /** Stages at once. */
  readonly jobs?: number;
  /** Whether to wait for paths that another process holds. */
  readonly wait?: boolean;
  /** Whether to wait for GPUs that another process holds. */
  readonly waitForGpus?: boolean;
  /** Where objects and run records that the cache lacks may come from. */
  readonly fetcher?: Fetcher | undefined;
  /** Where checkpoints are kept of stages that say so. */
  readonly keeper?: CheckpointKeeper | undefined;
  /** Watch what the stages that run read and write, and tell what of it they don't declare. */
  readonly trace?: TraceTools | undefined;
  /** Told what a stage made, before anything is stored or recorded of it. */
  readonly onMade?: ((made: Made) => void) | undefined;
  /** Asked before a stage runs; false leaves it, and what needs it, out. */
  readonly confirm?: ((stage: StageAddress) => Promise<boolean>) | undefined;
}

/** What a stage that ran has made. */
export interface Made {
  readonly stage: StageAddress;
  readonly outs: ReadonlyMap<AnyPath, Artifact>;
  /** What the run adds to its record: the backend that ran, what it used. */
  readonly context: Readonly<Record<string, string | number | boolean>>;
}

/** How the work is ended early: `stop` asks (stages end, outs come back), `kill` doesn't. */
export interface ReproSignals {
  readonly stop: AbortSignal;
  readonly kill: AbortSignal;
  /** Starts nothing more; what runs may end. */
  readonly drain?: AbortSignal;
  /** As `stop`, for one stage. */
  stopOf?(stage: StageAddress): AbortSignal;
}

/** Everything that settling a stage shares with the others of the same run. */
export interface ReproRun {
  readonly project: Project;
  readonly observer: Observer;
  readonly cached: Cached;
  readonly leases: Leases;
  readonly meter: Meter;
  readonly monitor: GpuMonitor;
  readonly others: Others;
  readonly journal: Journal;
  readonly gpus: Gpus;
  readonly demand: GpuDemand;
  readonly past: PastRuns;
  /** What watches the stages that run. */
  readonly tracer?: Tracer | undefined;
  readonly options: ReproOptions;
  readonly signals: ReproSignals;
  /** Stages of which a `stage` event was sent. */
  readonly announced: Set<StageAddress>;
  /** Kills whatever runs. */
  abort(): void;
  /** The cached outs of the selected stages that git tracks, or tracks something in; asked once, when first needed. */
  gitTracked(): ReadonlySet<ProjectPath>;
  readonly selected: ReadonlySet<StageAddress>;
  readonly outcomes: Outcomes;
  /** Puts the cached outs of all selected stages into .gitignore, once: before the first of them is made. */
  ignoreOuts(): Promise<void>;
  emit(event: ReproEvent): void;
}

/** What became of a stage. `planned` (a dry run): it would run, or could. */
export type Outcome =
  /** `recorded` is false where a dep changed while it ran, so that the result may be of the one or of the other. */
  | { readonly kind: 'ran'; readonly recorded: boolean }
  | { readonly kind: 'restored'; readonly savedSeconds: number }
  | { readonly kind: 'skipped' }
  | { readonly kind: 'failed'; readonly failure: Failure }
  | { readonly kind: 'blocked' }
  | { readonly kind: 'cancelled' }
  /** The user was asked and said no. */
  | { readonly kind: 'declined' }
  | { readonly kind: 'planned' };

/** The nearest upstream stage that failed or was blocked; undefined where there is none. */
export function blocker(run: ReproRun, address: StageAddress): StageAddress | undefined {
  return run.project.pipeline.upstream(address).find((upstream) => {
    const kind = run.outcomes.get(upstream)?.kind;
    return kind === 'failed' || kind === 'blocked' || kind === 'declined';
  });
}

/** Whether nothing more is to be started once a stage has failed. */
export function stopsOnFailure(run: ReproRun): boolean {
  return (run.options.onFailure ?? 'stop') === 'stop';
}

/** What became of stages. Whether any failed is asked before each of them, so it is known without a look at all. */
export class Outcomes extends Map<StageAddress, Outcome> {
  readonly #failed = new Set<StageAddress>();

  override set(address: StageAddress, outcome: Outcome): this {
    if (outcome.kind === 'failed') this.#failed.add(address);
    else this.#failed.delete(address);
    return super.set(address, outcome);
  }

  get anyFailed(): boolean {
    return this.#failed.size > 0;
  }
}

export function anyFailed(run: ReproRun): boolean {
  return run.outcomes.anyFailed;
}
