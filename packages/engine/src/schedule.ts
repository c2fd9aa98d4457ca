import type { Decision, Stage, StageAddress } from '@dag/model';
import { criticalOrder } from './critical-path.ts';
import { planStages } from './plan.ts';
import { anyFailed, blocker, type ReproRun, stopsOnFailure } from './repro-run.ts';
import { settleStage } from './settle/settle.ts';

/** Starts each stage as soon as all that it needs is settled and there is room for it. */
export async function schedule(run: ReproRun, stages: readonly Stage[]): Promise<void> {
  // Two questions on one terminal could not be told apart.
  const asks = run.options.confirm !== undefined;
  const oneByOne = run.options.dry === true || run.options.inGivenOrder === true || asks;
  const jobs = oneByOne ? 1 : Math.max(1, run.options.jobs ?? 1);
  const pipeline = run.options.inGivenOrder === true ? undefined : run.project.pipeline;
  // One by one they go in the order in which they were written, which some lean on; so they do where all fit at once.
  const byPath = pipeline !== undefined && jobs > 1 && stages.length > jobs;
  const plan = planStages(pipeline, stages, byPath ? criticalOrder(pipeline, stages, run.past) : undefined);
  const active = new Map<StageAddress, Promise<StageAddress>>();
  // While it isn't known how many GPUs there are, stages that want one go one by one.
  const gpusKnown = run.demand.any ? run.gpus.whenKnown.then(() => undefined) : undefined;
  let stopped = false;
  while (true) {
    const { stop, drain } = run.signals;
    stopped ||= stop.aborted || drain?.aborted === true || (stopsOnFailure(run) && anyFailed(run));
    const next = stopped || active.size >= jobs ? undefined : plan.next((stage) => run.leases.fits(stage));
    if (next !== undefined) {
      // Alone it has all there is.
      const lease = jobs === 1 ? undefined : run.leases.take(next);
      run.emit({ event: 'turn', stage: next.address });
      const settled = settleStage(runOf(run, next), next).then((outcome) => run.outcomes.set(next.address, outcome));
      active.set(
        next.address,
        settled.finally(() => lease?.release()).then(() => next.address),
      );
      continue;
    }
    if (active.size === 0) break;
    const done = await Promise.race(
      gpusKnown === undefined || run.gpus.devices !== undefined ? active.values() : [...active.values(), gpusKnown],
    ).catch(async (bug) => {
      // Nothing that was started may outlive this process.
      run.abort();
      await Promise.allSettled(active.values());
      throw bug;
    });
    if (done === undefined) continue;
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

/** A stage that was not started: blocked where something upstream failed, else cancelled. */
function leaveOut(run: ReproRun, stage: Stage): void {
  const by = blocker(run, stage.address);
  run.outcomes.set(stage.address, { kind: by === undefined ? 'cancelled' : 'blocked' });
  const decision: Decision = { kind: 'blocked', ...(by === undefined ? {} : { by }) };
  run.emit({ event: 'stage', stage: stage.address, decision, planned: false });
}
