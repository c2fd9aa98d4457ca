import { setMaxListeners } from 'node:events';
import os from 'node:os';
import {
  type Failure,
  FailureError,
  isInside,
  type ProjectPath,
  type Stage,
  type StageAddress,
  unreachable,
} from '@dag/model';
import { cachedIn } from './cached.ts';
import type { PastRuns } from './critical-path.ts';
import { dataOf, settleData } from './data.ts';
import type { ReproEvent, ReproSummary } from './event.ts';
import { GpuDemand } from './gpu/demand.ts';
import { Gpus } from './gpu/gpus.ts';
import { GpuMonitor } from './gpu/monitor.ts';
import { type Durations, readDurations } from './history/durations.ts';
import { openJournal } from './history/journal.ts';
import { Leases } from './leases.ts';
import { memoryLimit } from './machine.ts';
import { stagePaths } from './observe-stage.ts';
import { Observer } from './observer.ts';
import type { Project } from './project.ts';
import { pruneLocks } from './prune.ts';
import { ignoreOuts } from './record.ts';
import { Outcomes, type ReproOptions, type ReproRun, type ReproSignals } from './repro-run.ts';
import { Meter } from './run/meter.ts';
import { Others } from './run/strays.ts';
import { schedule } from './schedule.ts';
import { checkSources } from './sources.ts';
import { openTracer } from './trace/tracer.ts';

/**
 * Brings the selected stages up to date: each is skipped, restored or run, upstream before downstream, as many at once as
 * `jobs` and their resources allow. A finished stage is durable before anything that needs it starts.
 * @param selection in topological order, or in the user's where only single stages are wanted.
 * @throws FailureError, before anything runs, where a source is missing or a lock can't be read.
 */
export async function repro(
  project: Project,
  selection: readonly StageAddress[],
  options: ReproOptions,
  signals: ReproSignals,
  emit: (event: ReproEvent) => void,
): Promise<ReproSummary> {
  const stages = selection.map((address) => stageAt(project, address));
  // A lock that can't be read is told before anything is touched.
  project.locks.require(stages);
  const aborted = new AbortController();
  let ignored: Promise<void> | undefined;
  let tracked: ReadonlySet<ProjectPath> | undefined;
  const gpus = new Gpus(project.env);
  const past = durationsOf(project.root);
  const kill = AbortSignal.any([signals.kill, aborted.signal]);
  // Every stage that runs listens to both, and there may be many at once.
  setMaxListeners(0, signals.stop, kill);
  const run: ReproRun = {
    project,
    observer: new Observer(project),
    cached: cachedIn(project.store),
    leases: new Leases({ cpu: os.availableParallelism(), memory: memoryLimit(), gpus: () => gpus.devices }, past),
    gpus,
    demand: new GpuDemand(project, stages, options, gpus),
    past,
    tracer: options.trace === undefined ? undefined : openTracer(project, options.trace),
    meter: new Meter(),
    monitor: new GpuMonitor(project.env),
    others: new Others(),
    journal: openJournal(project.root),
    options,
    signals: { ...signals, kill },
    abort: () => aborted.abort(),
    gitTracked: () => {
      tracked ??= project.trackedByGit(cachedOuts(stages));
      return tracked;
    },
    selected: new Set(selection),
    outcomes: new Outcomes(),
    announced: new Set(),
    ignoreOuts: () => (ignored ??= ignoreOuts(project, stages)),
    emit,
  };
  const read = dataOf(project, stages);
  const data = options.allData === true ? project.pipeline.data : read;
  await run.observer.observe([...stages.flatMap(stagePaths), ...data.map((entry) => entry.path)]);
  const diagnostics = await checkSources(run, stages);
  if (diagnostics.length > 0) throw new FailureError({ code: 'invalid-pipeline', diagnostics });
  const absent = await settleData(project, run.observer, data, {
    needed: new Set(read),
    dry: options.dry ?? false,
    noCommit: options.noCommit ?? false,
    allowMissing: options.allowMissing ?? false,
    wait: options.wait ?? true,
    fetcher: options.fetcher,
    signal: signals.stop,
    emit,
  });
  if (absent.length > 0) throw new FailureError({ code: 'invalid-pipeline', diagnostics: absent });
  try {
    await schedule(run, stages);
  } catch (bug) {
    await project.locks.flush().catch(() => {});
    throw bug;
  } finally {
    closeJournal(run);
  }
  return summarize(selection, run.outcomes, options.dry === true ? [] : await closeLocks(run));
}

/** Brings the locks to their end. @returns what kept it from that: no result is lost, and the next run does it. */
async function closeLocks({ project, emit }: ReproRun): Promise<Failure[]> {
  try {
    await project.locks.flush();
    await pruneLocks(project);
    return [];
  } catch (error) {
    if (!(error instanceof FailureError) || !('message' in error.failure)) throw error;
    const { message } = error.failure;
    const hint = 'results that it lacks are in the cache, and come back from there with the next dag repro';
    emit({ event: 'warning', message: `pipeline.lock is not up to date: ${message}`, hint });
    return [error.failure];
  }
}

/** What stages took when they last ran, read when it is first asked for. */
function durationsOf(root: string): PastRuns {
  let durations: Durations | undefined;
  return (stage) => {
    durations ??= readDurations(root);
    return durations.of(stage);
  };
}

function closeJournal({ journal, emit }: ReproRun): void {
  journal.close();
  const problem = journal.problem();
  if (problem !== undefined) emit({ event: 'warning', message: `'dag log' will not know of these runs: ${problem}` });
}

function cachedOuts(stages: readonly Stage[]): ProjectPath[] {
  return stages.flatMap(({ outs }) => outs.flatMap(({ path, cache }) => (cache && isInside(path) ? [path] : [])));
}

function stageAt(project: Project, address: StageAddress): Stage {
  const stage = project.pipeline.stages.get(address);
  if (stage === undefined) throw new Error(`no stage ${address} in the pipeline`);
  return stage;
}

function summarize(
  selection: readonly StageAddress[],
  outcomes: ReproRun['outcomes'],
  others: readonly Failure[],
): ReproSummary {
  const lists = {
    ran: [] as StageAddress[],
    restored: [] as StageAddress[],
    skipped: [] as StageAddress[],
    failed: [] as StageAddress[],
    blocked: [] as StageAddress[],
    cancelled: [] as StageAddress[],
  };
  const failures: Failure[] = [];
  let savedSeconds = 0;
  for (const [, outcome] of outcomes) {
    if (outcome.kind === 'failed') failures.push(outcome.failure);
    if (outcome.kind === 'restored') savedSeconds += outcome.savedSeconds;
  }
  for (const address of selection) {
    const outcome = outcomes.get(address);
    if (outcome === undefined) continue;
    switch (outcome.kind) {
      case 'planned':
        lists.ran.push(address);
        break;
      case 'declined':
        lists.cancelled.push(address);
        break;
      case 'ran':
      case 'restored':
      case 'skipped':
      case 'failed':
      case 'blocked':
      case 'cancelled':
        lists[outcome.kind].push(address);
        break;
      default:
        unreachable(outcome);
    }
  }
  const unrecorded = selection.filter((address) => {
    const outcome = outcomes.get(address);
    return outcome?.kind === 'ran' && !outcome.recorded;
  });
  return { ...lists, unrecorded, failures: [...failures, ...others], savedSeconds };
}
