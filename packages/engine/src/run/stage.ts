import fs from 'node:fs';
import path from 'node:path';
import {
  type AnyPath,
  type Artifact,
  absolutePath,
  type Failure,
  FailureError,
  isInside,
  MetricSummaries,
  type RunRecord,
  type Stage,
} from '@dag/model';
import { withIo } from '@dag/store';
import { mendedText, type WorkOptions } from '@dag/workspace';
import { commandText } from '../changes.ts';
import { keptOuts } from '../decide.ts';
import type { ReproEvent } from '../event.ts';
import type { GpuLease } from '../gpu/gpus.ts';
import type { GpuMonitor } from '../gpu/monitor.ts';
import type { GpuPeaks } from '../metrics/system.ts';
import type { StageView } from '../observe-stage.ts';
import type { Project } from '../project.ts';
import type { Tracer } from '../trace/tracer.ts';
import type { ActionEnd } from './action.ts';
import { watchAttempt } from './attempt.ts';
import { backoffMs, pause } from './backoff.ts';
import { CHECKPOINT_VARIABLE, type Left, type StageCheckpoints } from './checkpoints.ts';
import { runCommand, type StageIo } from './command.ts';
import { openLog } from './log.ts';
import type { Meter } from './meter.ts';
import { groupOf, noteRun } from './orphans.ts';
import { GRACE_MS } from './process.ts';
import { endFailure, exitOf, messageOf, missingOuts, withLastWords, workingFolder } from './stage-failure.ts';
import { endMarked, type Others, RUN_VARIABLE } from './strays.ts';
import { addUsage, type Usage } from './usage.ts';
import { runWorkerStage } from './worker.ts';

/** What a run leaves behind, however it ended. */
export interface RunTrace {
  readonly seconds: number;
  /** Of all tries together. */
  readonly usage: Usage;
  /** What it printed: files in the `logs` folder of the cache, one a try. */
  readonly logs: readonly string[];
  /** What it reported in its last try. */
  readonly metrics: MetricSummaries;
  readonly gpus: GpuPeaks;
}

/** How one run of a stage ended. Where it did not succeed, its old outs are back in place. */
export type StageEnd = RunTrace & StageResult;

type StageResult =
  | {
      readonly status: 'ok';
      /** Call it once the result is recorded: the old outs are dropped. */
      keep(): void;
      /** Call it where the result could not be recorded: the old outs come back. */
      undo(): void;
      /** All outs, as they stand. */
      readonly outs: ReadonlyMap<AnyPath, Artifact>;
    }
  | {
      readonly status: 'failed';
      readonly failure: Failure;
      readonly exitCode?: number;
      /** What ended it, where that was a signal. */
      readonly signal?: string;
    }
  | { readonly status: 'cancelled' };

export interface StageRunOptions {
  readonly startedAt: Date;
  /** Leave outs out of the cache. */
  readonly noCommit: boolean;
  readonly stop: AbortSignal;
  readonly kill: AbortSignal;
  readonly meter: Meter;
  readonly monitor: GpuMonitor;
  /** Processes of the other runs. */
  readonly others: Others;
  readonly checkpoints: StageCheckpoints;
  /** What earlier runs left there. */
  readonly left: Left | undefined;
  /** Told of each checkpoint that a worker saved. */
  onSaved(): void;
  /** What traces it. */
  readonly tracer?: Tracer | undefined;
  /** The devices that it holds. */
  readonly gpus?: GpuLease | undefined;
  /**
   * Asked, once the outs are known and before they are durable, for the run record that is kept with them. `context` is what
   * the run adds to it: the backend that ran, say.
   */
  record(
    outs: ReadonlyMap<AnyPath, Artifact>,
    trace: RunTrace & { readonly context: Readonly<Record<string, string | number | boolean>> },
  ): Promise<RunRecord | undefined>;
  emit(event: ReproEvent): void;
}

/**
 * Runs a stage: sets its outs aside, runs its command or module (again, as often as `retries` allows), checks that the
 * outs were made, and stores them. Nothing is recorded here: that is the caller's, when inputs have been looked at again.
 */
export async function runStage(
  project: Project,
  stage: Stage,
  view: StageView,
  options: StageRunOptions,
): Promise<StageEnd> {
  const { startedAt } = options;
  const tries: Tries = { usage: undefined, logs: [], metrics: new MetricSummaries(), gpus: {}, output: [] };
  const end = <T extends object>(result: T): RunTrace & T => {
    const seconds = (project.clock().getTime() - startedAt.getTime()) / 1000;
    const { usage = {}, logs, metrics, gpus } = tries;
    return { ...result, seconds, usage, logs, metrics, gpus };
  };
  const folder = workingFolder(project, stage);
  if (folder.failure !== undefined) return end({ status: 'failed', failure: folder.failure });
  const replaced = stage.outs.filter((out) => !out.persist).map((out) => out.path);
  await project.workspace.keep(replaced.filter(isInside), { signal: options.stop, ...mending(stage, options) });
  for (let attempt = 1; ; attempt++) {
    const aside = project.workspace.setAside(replaced);
    let kept = false;
    try {
      const action = await runOnce(project, stage, view, folder.path, tries, options);
      const failure = action.failure ?? endFailure(stage, action.end, attempt) ?? missingOuts(project, stage);
      if (action.end.status === 'stopped') return end({ status: 'cancelled' });
      if (failure === undefined) {
        const outs = await keepOuts(project, stage, options, (all) =>
          options.record(all, end({ context: action.context ?? {} })),
        );
        kept = true;
        const { discard: keep, putBack: undo } = aside;
        return end({ status: 'ok', keep, undo, outs });
      }
      if (attempt > stage.retries) {
        return end({ status: 'failed', failure: withLastWords(failure, tries), ...exitOf(action.end) });
      }
      const ms = backoffMs(attempt, Math.random());
      const hint = `try ${attempt + 1} of ${stage.retries + 1} begins in ${(ms / 1000).toFixed(1)} s`;
      options.emit({ event: 'warning', stage: stage.address, message: messageOf(failure), hint });
      aside.putBack();
      kept = true;
      if (!(await pause(ms, [options.stop, options.kill]))) return end({ status: 'cancelled' });
    } catch (error) {
      if (options.stop.aborted || options.kill.aborted) return end({ status: 'cancelled' });
      if (!(error instanceof FailureError)) throw error;
      return end({ status: 'failed', failure: error.failure });
    } finally {
      if (!kept) aside.putBack();
    }
  }
}

/** Warns of what was stored anew. */
function mending(stage: Stage, { emit }: Pick<StageRunOptions, 'emit'>): Pick<WorkOptions, 'onMended'> {
  return {
    onMended: (path, quarantined) =>
      emit({ event: 'warning', stage: stage.address, message: mendedText(path, quarantined) }),
  };
}

/** What the tries of one run add up to. */
interface Tries {
  usage: Usage | undefined;
  readonly logs: string[];
  /** Of the last one. */
  metrics: MetricSummaries;
  gpus: GpuPeaks;
  output: readonly string[];
}

async function runOnce(
  project: Project,
  stage: Stage,
  view: StageView,
  cwd: string,
  tries: Tries,
  options: StageRunOptions,
): Promise<ActionEnd> {
  for (const { path: out } of stage.outs) {
    const folder = path.dirname(absolutePath(project.root, out));
    withIo('make the folder', folder, () => fs.mkdirSync(folder, { recursive: true }));
  }
  const persisting = stage.outs.filter((out) => out.persist).map((out) => out.path);
  await project.workspace.unprotect(persisting.filter(isInside));
  const log = openLog(project.store.dir, stage.address, project.clock());
  tries.logs.push(log.name);
  const note = noteRun(project.store.dir, stage.address);
  options.others.began(note.name);
  const attempt = watchAttempt(stage, {
    log,
    meter: options.meter,
    monitor: options.monitor,
    devices: options.gpus?.devices ?? [],
    clock: project.clock,
    emit: options.emit,
  });
  const tracing = options.tracer?.begin(stage, view.observed.fingerprint.worker?.files.keys() ?? []);
  const io: StageIo = {
    log,
    metrics: log.beside.metrics,
    stalled: attempt.stalled,
    ...(tracing === undefined ? {} : { wrap: tracing.wrap }),
    meter: options.meter,
    onUsage: (usage) => {
      tries.usage = addUsage(tries.usage, usage);
    },
    stop: options.stop,
    kill: options.kill,
    grace: stage.checkpoints?.grace ?? GRACE_MS,
    env: {
      ...options.gpus?.env,
      [RUN_VARIABLE]: note.name,
      [CHECKPOINT_VARIABLE]: options.checkpoints.folder,
      DAG_METRICS: log.beside.metrics,
    },
    onStart: (pid) => {
      attempt.onStart(pid);
      options.gpus?.note(groupOf(pid));
      note.group(pid);
    },
    endStrays: async (leader) => {
      const { kill, others } = options;
      await endMarked([note.name], { leader, kill, others });
    },
    onLine: (stream, line) => {
      attempt.onLine(line);
      options.emit({ event: 'output', stage: stage.address, stream, line });
    },
  };
  const resumed = tries.logs.length > 1 ? options.checkpoints.left() : options.left;
  options.emit({
    event: 'started',
    stage: stage.address,
    command: stage.action.kind === 'command' ? commandText(stage.action.cmd) : stage.action.module,
    log: log.path,
    attempt: tries.logs.length,
    ...(resumed === undefined ? {} : { resumed }),
  });
  try {
    return stage.action.kind === 'command'
      ? { end: await runCommand(project, stage, stage.action.cmd, cwd, io) }
      : await runWorkerStage(project, stage, stage.action, view, cwd, {
          ...io,
          onBeat: attempt.onBeat,
          onProgress: attempt.onProgress,
          emit: options.emit,
          checkpoints: options.checkpoints.folder,
          onSaved: options.onSaved,
        });
  } finally {
    Object.assign(tries, await attempt.close());
    const trace = await tracing?.end();
    if (trace !== undefined) options.emit({ event: 'traced', ...trace });
    const problem = log.problem();
    if (problem !== undefined) {
      const message = `the output of stage '${stage.address}' is not kept in full: ${problem}`;
      options.emit({ event: 'warning', stage: stage.address, message });
    }
    log.close();
    note.remove();
    options.others.ended(note.name);
  }
}

/** Stores what is to be stored, with its run record, and observes the rest; the artifacts of all outs. */
async function keepOuts(
  project: Project,
  stage: Stage,
  options: StageRunOptions,
  recordOf: (outs: ReadonlyMap<AnyPath, Artifact>) => Promise<RunRecord | undefined>,
): Promise<ReadonlyMap<AnyPath, Artifact>> {
  const kept = options.noCommit ? [] : keptOuts(stage);
  const outs = new Map<AnyPath, Artifact>();
  const isKept = new Set<AnyPath>(kept);
  const rest = stage.outs.map((out) => out.path).filter((out) => !isKept.has(out));
  if (rest.length > 0) {
    for (const [out, artifact] of await project.workspace.observe(rest)) {
      if (artifact !== undefined) outs.set(out, artifact);
    }
  }
  await project.workspace.commit(kept, {
    signal: options.kill,
    ...mending(stage, options),
    record: (committed) => {
      for (const [out, artifact] of committed) outs.set(out, artifact);
      return recordOf(outs);
    },
  });
  return outs;
}
