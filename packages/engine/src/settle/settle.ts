import { type Decision, FailureError, type Stage, unreachable } from '@dag/model';
import { holding } from '@dag/store';
import { holderText } from '@dag/workspace';
import { findElsewhere, lookElsewhere } from '../elsewhere.ts';
import { heal } from '../heal.ts';
import { type StageView, stagePaths } from '../observe-stage.ts';
import { blocker, type Outcome, type ReproRun } from '../repro-run.ts';
import { announce, cancelled, failed } from './announce.ts';
import { type Decided, decideNow, inputPaths } from './decide-now.ts';
import { execute } from './execute.ts';
import { shortOfGpus } from './obstacles.ts';
import { purposeOf } from './purpose.ts';
import { restore, savedSeconds } from './restore.ts';

/** Decides one stage whose upstream is settled, says so, and does it. Failures of the stage are its outcome, never thrown. */
export async function settleStage(run: ReproRun, stage: Stage): Promise<Outcome> {
  const known = run.outcomes.get(stage.address);
  if (known !== undefined) return known;
  const by = run.options.onFailure === 'ignore' ? undefined : blocker(run, stage.address);
  if (by !== undefined) {
    announce(run, stage, { kind: 'blocked', by });
    return { kind: 'blocked' };
  }
  try {
    return await settle(run, stage);
  } catch (error) {
    if (run.signals.stop.aborted || run.signals.kill.aborted) return cancelled(run, stage);
    if (!(error instanceof FailureError)) throw error;
    return failed(run, stage, error.failure, 0);
  }
}

async function settle(run: ReproRun, stage: Stage): Promise<Outcome> {
  const first = await decideNow(run, stage);
  if (run.options.dry === true) return plan(run, stage, await foreseen(run, stage, first));
  if (first.decision.kind === 'skip') {
    announce(run, stage, first.decision);
    return { kind: 'skipped' };
  }
  if (first.decision.kind === 'run' && run.options.confirm !== undefined) {
    if (!(await run.options.confirm(stage.address))) return { ...cancelled(run, stage), kind: 'declined' };
  }
  return await holdingPaths(run, stage, async (waited) => {
    // Others may have run it, and what it reads, since it was looked at.
    const isOld = waited || run.journal.othersWrote();
    const { view, decision } = isOld ? await lookAgain(run, stage, first.view) : first;
    const again = decision.kind === 'run' ? await fetched(run, stage, view, decision) : undefined;
    return await carryOut(run, stage, again?.view ?? view, again?.decision ?? decision);
  });
}

/** What follows when something came from elsewhere; undefined where nothing did. */
function fetched(
  run: ReproRun,
  stage: Stage,
  view: StageView,
  decision: Extract<Decision, { kind: 'run' }>,
): Promise<Decided | undefined> {
  return holding(run.project.store, async () => {
    return (await lookElsewhere(run, stage, view, decision)) ? await decideNow(run, stage) : undefined;
  });
}

/** Decides anew what others may have changed, or left in the middle of it: a killed one, of which this one held the lock. */
async function lookAgain(run: ReproRun, stage: Stage, before: StageView): Promise<Decided> {
  const { store, workspace } = run.project;
  const { messages, back } = await heal(store, workspace);
  for (const message of messages) run.emit({ event: 'warning', stage: stage.address, message });
  run.observer.forget([...stagePaths(stage), ...inputPaths(stage, before), ...back]);
  return await decideNow(run, stage);
}

/** What a dry run says of a stage whose result somebody else has: it would be fetched and restored. */
async function foreseen(run: ReproRun, stage: Stage, decided: Decided): Promise<Decided> {
  const { decision, view } = decided;
  if (decision.kind !== 'run') return decided;
  const record = await findElsewhere(run, stage, view);
  if (record === undefined) return decided;
  const { changes } = decision;
  return { view, decision: { kind: 'restore', from: { kind: 'run', record }, outs: record.outs, changes } };
}

/** Takes what a decision of a dry run says as done, so that the next ones can be decided. */
function plan(run: ReproRun, stage: Stage, { decision }: Decided): Outcome {
  announce(run, stage, decision);
  switch (decision.kind) {
    case 'skip':
      return { kind: 'skipped' };
    case 'restore':
      run.observer.learn(decision.outs);
      return { kind: 'restored', savedSeconds: savedSeconds(decision) };
    case 'run':
    case 'undecided':
      return { kind: 'planned' };
    case 'blocked':
      return { kind: 'blocked' };
    default:
      return unreachable(decision);
  }
}

async function carryOut(run: ReproRun, stage: Stage, view: StageView, decision: Decision): Promise<Outcome> {
  switch (decision.kind) {
    case 'skip':
      announce(run, stage, decision);
      return { kind: 'skipped' };
    case 'restore': {
      const restored = await restore(run, stage, view, decision);
      return restored ?? (await carryOut(run, stage, view, { kind: 'run', changes: decision.changes }));
    }
    case 'run': {
      const short = await shortOfGpus(run, stage);
      if (short !== undefined) return short;
      announce(run, stage, decision);
      return await execute(run, stage, view);
    }
    case 'blocked':
    case 'undecided':
      throw new Error(`${stage.address} is ${decision.kind} though all upstream is settled`);
    default:
      return unreachable(decision);
  }
}

/** Holds a stage's paths against other processes while `work` goes on; `work` hears whether it had to wait for them. */
async function holdingPaths<T>(run: ReproRun, stage: Stage, work: (waited: boolean) => Promise<T>): Promise<T> {
  let waited = false;
  const release = await run.project.workspace.acquire(
    {
      read: stage.deps.map((dep) => dep.path),
      write: stage.outs.map((out) => out.path),
      // What no out tells apart: one stage never runs twice at once.
      mutex: stage.outs.length > 0 ? stage.mutex : [...stage.mutex, `stage ${stage.address}`],
      purpose: purposeOf(stage.address),
    },
    {
      wait: run.options.wait ?? true,
      signal: run.signals.stop,
      onWait: (holder) => {
        waited = true;
        run.emit({ event: 'waiting', stage: stage.address, message: `waiting for ${holderText(holder)}` });
      },
    },
  );
  try {
    return await work(waited);
  } finally {
    release();
  }
}
