import type { RunRecord, Stage } from '@dag/model';
import type { Hold } from '@dag/store';
import { compareInputs } from '../changes.ts';
import { usesRunCache } from '../decide.ts';
import type { GpuLease } from '../gpu/gpus.ts';
import { type StageView, viewStage } from '../observe-stage.ts';
import { keepListings, recordInLock, recordOf } from '../record.ts';
import type { Outcome, ReproRun } from '../repro-run.ts';
import { runNoted } from '../run/noted.ts';
import { openResumption } from '../run/resumption.ts';
import { runKey } from '../run-key.ts';
import { cancelled, compareResults, failed } from './announce.ts';
import { inputPaths, viewOptions } from './decide-now.ts';
import { bringDeps, inGit, problemOf } from './obstacles.ts';

/** Runs a stage and records its result, once nothing stands in its way and it has its GPUs. */
export async function execute(run: ReproRun, stage: Stage, seen: StageView): Promise<Outcome> {
  const problem = problemOf(stage, seen) ?? inGit(run, stage) ?? (await bringDeps(run, stage, seen));
  if (problem !== undefined) return failed(run, stage, problem, 0);
  const gpus = await leaseGpus(run, stage);
  try {
    if (gpus?.waited !== true) return await executeWith(run, stage, seen, gpus);
    // Others may have changed what it reads meanwhile.
    run.observer.forget(inputPaths(stage, seen));
    const view = await viewStage(run.project, run.observer, stage, viewOptions(run, stage));
    const problem = problemOf(stage, view);
    return problem === undefined ? await executeWith(run, stage, view, gpus) : failed(run, stage, problem, 0);
  } finally {
    gpus?.release();
  }
}

function leaseGpus(run: ReproRun, stage: Stage): Promise<GpuLease | undefined> {
  return run.gpus.lease(stage, {
    wait: run.options.waitForGpus ?? true,
    signal: run.signals.stop,
    root: run.project.root,
    onWait: (message) => run.emit({ event: 'waiting', stage: stage.address, message }),
    onWarning: (message, hint) =>
      run.emit({ event: 'warning', stage: stage.address, message, ...(hint === undefined ? {} : { hint }) }),
  });
}

async function executeWith(run: ReproRun, stage: Stage, view: StageView, gpus: GpuLease | undefined): Promise<Outcome> {
  const { project, observer } = run;
  let moved: readonly string[] = [];
  let record: RunRecord | undefined;
  let earlier: readonly RunRecord[] = [];
  let hold: Hold | undefined;
  const resumption = await openResumption(run, stage, runKey(view.observed.fingerprint));
  const end = await runNoted(run, stage, view, gpus, resumption, async (outs, facts) => {
    run.options.onMade?.({ stage: stage.address, outs, context: facts.context });
    hold ??= project.store.hold();
    gpus?.release();
    observer.learn(outs);
    moved = await changedMeanwhile(run, stage, view);
    if (moved.length > 0 || run.options.noCommit === true) return undefined;
    const result = { stage, view, outs, run: facts };
    await keepListings(project, result);
    if (usesRunCache(stage)) earlier = project.store.runs.find(runKey(view.observed.fingerprint));
    record = recordOf(project, result);
    return record;
  });
  if (end.status !== 'ok' || moved.length > 0) hold?.end();
  if (end.status !== 'ok') observer.forget(stage.outs.map((out) => out.path));
  if (end.status !== 'ok') {
    gpus?.release();
    const { left } = await resumption.ended(false);
    return end.status === 'cancelled'
      ? cancelled(run, stage, end.seconds, left)
      : failed(run, stage, end.failure, end.seconds, end.exitCode, left);
  }
  if (moved.length === 0) {
    try {
      await recordInLock(project, { stage, view, outs: end.outs }, hold, record !== undefined);
    } catch (error) {
      hold?.end();
      end.undo();
      observer.forget(end.outs.keys());
      throw error;
    }
  }
  end.keep();
  await resumption.ended(true);
  if (moved.length === 0) compareResults(run, stage, end.outs, earlier, record?.context);
  if (moved.length > 0) {
    run.emit({
      event: 'warning',
      stage: stage.address,
      message: `${moved.map((path) => `'${path}'`).join(', ')} changed while stage '${stage.address}' ran: its result is not recorded`,
      hint: 'it runs again with the next dag repro',
    });
  }
  run.emit({ event: 'finished', stage: stage.address, status: 'ok', exitCode: 0, seconds: end.seconds });
  return { kind: 'ran', recorded: moved.length === 0 };
}

/** Inputs that are not what they were when the stage began: what was made may be of the one or of the other. */
async function changedMeanwhile(run: ReproRun, stage: Stage, view: StageView): Promise<string[]> {
  run.observer.forget(inputPaths(stage, view));
  const after = await viewStage(run.project, run.observer, stage, viewOptions(run, stage));
  const changes = compareInputs(view.observed.fingerprint, after.observed.fingerprint, after.observed.declared);
  return changes.map((change) => {
    if (change.changed === 'param') return `${change.file}:${change.key}`;
    return 'path' in change && change.path !== undefined ? change.path : change.changed;
  });
}
