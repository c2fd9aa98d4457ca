import { type Decision, type Failure, FailureError, type Stage, type StageAddress, unreachable } from '@dag/model';
import { cachedIn } from './cached.ts';
import { dataOf, settleData } from './data.ts';
import type { ReproEvent, ReproSummary } from './event.ts';
import { openJournal } from './history/journal.ts';
import { Leases } from './leases.ts';
import { stagePaths } from './observe-stage.ts';
import { Observer } from './observer.ts';
import { planStages } from './plan.ts';
import type { Project } from './project.ts';
import { pruneLocks } from './prune.ts';
import { ignoreOuts } from './record.ts';
import { blocker, type ReproOptions, type ReproRun, type ReproSignals } from './repro-run.ts';
import { Meter } from './run/meter.ts';
import { settleStage } from './settle.ts';
import { checkSources } from './sources.ts';

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
  const aborted = new AbortController();
  let ignored: Promise<void> | undefined;
  const run: ReproRun = {
    project,
    observer: new Observer(project),
    cached: cachedIn(project.store),
    leases: new Leases(),
    meter: new Meter(),
    journal: openJournal(project.root),
    options,
    signals: { ...signals, kill: AbortSignal.any([signals.kill, aborted.signal]) },
    abort: () => aborted.abort(),
    selected: new Set(selection),
    outcomes: new Map(),
    announced: new Set(),
    ignoreOuts: () => (ignored ??= ignoreOuts(project, stages)),
    emit,
  };
  // A lock that can't be read is told before anything is touched.
  for (const stage of stages) project.locks.stage(stage);
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
    fetcher: options.fetcher,
    signal: signals.stop,
    emit,
  });
  if (absent.length > 0) throw new FailureError({ code: 'invalid-pipeline', diagnostics: absent });
  try {
    await schedule(run, stages);
  } finally {
    closeJournal(run);
    await project.locks.flush();
  }
  if (options.dry !== true) await pruneLocks(project);
  return summarize(selection, run.outcomes);
}

function closeJournal({ journal, emit }: ReproRun): void {
  journal.close();
  const problem = journal.problem();
  if (problem !== undefined) emit({ event: 'warning', message: `'dag log' will not know of these runs: ${problem}` });
}

/** Starts each stage as soon as all that it needs is settled and there is room for it. */
async function schedule(run: ReproRun, stages: readonly Stage[]): Promise<void> {
  // Two questions on one terminal could not be told apart.
  const asks = run.options.confirm !== undefined;
  const oneByOne = run.options.dry === true || run.options.inGivenOrder === true || asks;
  const plan = planStages(run.options.inGivenOrder === true ? undefined : run.project.pipeline, stages);
  const jobs = oneByOne ? 1 : Math.max(1, run.options.jobs ?? 1);
  const active = new Map<StageAddress, Promise<StageAddress>>();
  let stopped = false;
  while (true) {
    const { stop, drain } = run.signals;
    stopped ||= stop.aborted || drain?.aborted === true || (stopsOnFailure(run) && anyFailed(run));
    const next = stopped || active.size >= jobs ? undefined : plan.next((stage) => run.leases.fits(stage));
    if (next !== undefined) {
      const lease = run.leases.take(next);
      const settled = settleStage(runOf(run, next), next).then((outcome) => run.outcomes.set(next.address, outcome));
      active.set(
        next.address,
        settled.finally(() => lease.release()).then(() => next.address),
      );
      continue;
    }
    if (active.size === 0) break;
    const done = await Promise.race(active.values()).catch(async (bug) => {
      // Nothing that was started may outlive this process.
      run.abort();
      await Promise.allSettled(active.values());
      throw bug;
    });
    active.delete(done);
    plan.settled(done);
  }
  for (const stage of stages) if (!run.outcomes.has(stage.address)) leaveOut(run, stage);
}

/** The run as one stage sees it, which may be stopped alone. */
function runOf(run: ReproRun, stage: Stage): ReproRun {
  const own = run.signals.stopOf?.(stage.address);
  if (own === undefined) return run;
  return { ...run, signals: { ...run.signals, stop: AbortSignal.any([run.signals.stop, own]) } };
}

function stopsOnFailure(run: ReproRun): boolean {
  return (run.options.onFailure ?? 'stop') === 'stop';
}

function anyFailed(run: ReproRun): boolean {
  for (const outcome of run.outcomes.values()) if (outcome.kind === 'failed') return true;
  return false;
}

/** A stage that was not started: blocked where something upstream failed, else cancelled. */
function leaveOut(run: ReproRun, stage: Stage): void {
  const by = blocker(run, stage.address);
  run.outcomes.set(stage.address, { kind: by === undefined ? 'cancelled' : 'blocked' });
  const decision: Decision = { kind: 'blocked', ...(by === undefined ? {} : { by }) };
  run.emit({ event: 'stage', stage: stage.address, decision, planned: false });
}

function stageAt(project: Project, address: StageAddress): Stage {
  const stage = project.pipeline.stages.get(address);
  if (stage === undefined) throw new Error(`no stage ${address} in the pipeline`);
  return stage;
}

function summarize(selection: readonly StageAddress[], outcomes: ReproRun['outcomes']): ReproSummary {
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
  return { ...lists, unrecorded, failures, savedSeconds };
}
