import {
  type AnyPath,
  type Artifact,
  type Decision,
  type Failure,
  FailureError,
  insideOuts,
  isInside,
  type RunRecord,
  type Stage,
  unreachable,
} from '@dag/model';
import { compareInputs } from './changes.ts';
import { decide, usesRunCache } from './decide.ts';
import { findElsewhere, lookElsewhere } from './elsewhere.ts';
import type { GpuLease } from './gpu/gpus.ts';
import { differingOuts } from './history/results.ts';
import { type StageView, stagePaths, type ViewOptions, viewStage } from './observe-stage.ts';
import { recordResult } from './record.ts';
import { anyFailed, blocker, type Outcome, type ReproRun, stopsOnFailure } from './repro-run.ts';
import { runNoted } from './run/noted.ts';
import { runKey } from './run-key.ts';
import { lockedArtifact, missingParam } from './sources.ts';

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
    if (waited) run.observer.forget([...stagePaths(stage), ...inputPaths(stage, first.view)]);
    const { view, decision } = waited ? await decideNow(run, stage) : first;
    if (decision.kind === 'run' && (await lookElsewhere(run, stage, view, decision))) {
      const again = await decideNow(run, stage);
      return await carryOut(run, stage, again.view, again.decision);
    }
    return await carryOut(run, stage, view, decision);
  });
}

interface Decided {
  readonly view: StageView;
  readonly decision: Decision;
}

async function decideNow(run: ReproRun, stage: Stage): Promise<Decided> {
  const upstream = run.project.pipeline.upstream(stage.address);
  const { allowMissing = false, force = false, forceDownstream = false, noRunCache = false } = run.options;
  const view = await viewStage(run.project, run.observer, stage, viewOptions(run, stage));
  const upstreamRan = upstream.some((address) => run.outcomes.get(address)?.kind === 'ran');
  const decision = decide(stage, run.project.locks.stage(stage), view.observed, run.cached, {
    noRunCache,
    allowMissing,
    ...(force ? { force: 'force' } : forceDownstream && upstreamRan ? { force: 'downstream' } : {}),
  });
  return { view, decision };
}

function viewOptions(run: ReproRun, stage: Stage): ViewOptions {
  const upstream = run.project.pipeline.upstream(stage.address);
  const missing = (path: AnyPath) => lockedArtifact(run.project, path, stage);
  return {
    pending: upstream.filter((address) => run.outcomes.get(address)?.kind === 'planned'),
    ...(run.options.allowMissing === true ? { missing } : {}),
  };
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
    case 'restore':
      return await restore(run, stage, view, decision);
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

type Restore = Extract<Decision, { kind: 'restore' }>;

async function restore(run: ReproRun, stage: Stage, view: StageView, decision: Restore): Promise<Outcome> {
  const items = [...decision.outs].map(([path, artifact]) => ({ path, artifact }));
  await run.ignoreOuts();
  const report = await run.project.workspace.checkout(items, { force: true, signal: run.signals.kill });
  run.observer.forget(decision.outs.keys());
  if (report.failed.length > 0) {
    // A damaged object is in quarantine by now, so that the next decision knows that it isn't there.
    const named = report.failed.map((failure) => `${failure.path} (${failure.reason})`).join(', ');
    run.emit({ event: 'warning', stage: stage.address, message: `the cache could not give back ${named}` });
    return await carryOut(run, stage, view, { kind: 'run', changes: decision.changes });
  }
  announce(run, stage, decision);
  if (decision.from.kind === 'run') noteRestored(run, stage, decision.from.record);
  run.observer.learn(decision.outs);
  // What came back as the lock has it changes nothing there, least of all for a frozen stage, whose deps may be others now.
  if (decision.from.kind !== 'lock') await recordResult(run.project, { stage, view, outs: decision.outs }, true);
  return { kind: 'restored', savedSeconds: savedSeconds(decision) };
}

function noteRestored({ project, journal }: ReproRun, stage: Stage, { key, startedAt }: RunRecord): void {
  journal.restored({ stage: stage.address, at: project.clock(), key, from: startedAt });
}

/**
 * Fails what is sure to lack GPUs, this stage or one further down, before anything runs for it, and warns of what may;
 * undefined where the stage can run.
 */
async function shortOfGpus(run: ReproRun, stage: Stage): Promise<Outcome | undefined> {
  const shortages = await run.demand.shortages(stage);
  for (const { stage: address, failure, certain } of shortages) {
    const short = run.project.pipeline.stages.get(address);
    if (short === undefined || run.outcomes.has(address)) continue;
    if (address === stage.address) return failed(run, stage, failure, 0);
    if (certain) run.outcomes.set(address, failed(run, short, failure, 0));
    else if (run.demand.firstTime(address) && 'message' in failure) {
      run.emit({ event: 'warning', stage: address, message: `${failure.message}; it fails if it has to run` });
    }
  }
  return shortages.some(({ certain }) => certain) && stopsOnFailure(run) && anyFailed(run)
    ? cancelled(run, stage)
    : undefined;
}

async function execute(run: ReproRun, stage: Stage, seen: StageView): Promise<Outcome> {
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

/** Outs that git tracks: they would be both git's and the cache's, and each would undo the other's work. */
function inGit(run: ReproRun, stage: Stage): Failure | undefined {
  const tracked = run.gitTracked();
  const both = stage.outs.flatMap(({ path, cache }) => (cache && isInside(path) && tracked.has(path) ? [path] : []));
  if (both.length === 0) return undefined;
  const names = both.map((path) => `'${path}'`).join(', ');
  return {
    code: 'refused',
    message: `stage '${stage.address}' does not run: its out${both.length === 1 ? '' : 's'} ${names} ${both.length === 1 ? 'is' : 'are'} tracked by git`,
    hint: `run 'git rm -r --cached ${both.join(' ')}' first, or declare with 'cache: false' that git keeps ${both.length === 1 ? 'it' : 'them'}`,
  };
}

/** Deps that were taken for what the lock says come back from the cache: a command needs them there. */
async function bringDeps(run: ReproRun, stage: Stage, { assumed }: StageView): Promise<Failure | undefined> {
  if (assumed.size === 0) return undefined;
  const items = [...insideOuts(assumed)].map(([path, artifact]) => ({ path, artifact }));
  if (run.options.fetcher !== undefined) await run.options.fetcher.fetch(items, run.signals.stop);
  const { failed, missing } = await run.project.workspace.checkout(items, {
    allowMissing: true,
    signal: run.signals.kill,
  });
  run.observer.forget(assumed.keys());
  const lacking = [...failed, ...missing][0]?.path ?? [...assumed.keys()].find((path) => !isInside(path));
  if (lacking === undefined) return undefined;
  return {
    code: 'missing-dep',
    path: lacking,
    message: `'${lacking}', which stage '${stage.address}' needs, is neither here nor in the cache`,
    hint: 'run without --allow-missing to make it again, or with --pull to fetch it',
  };
}

function problemOf(stage: Stage, view: StageView): Failure | undefined {
  return view.moduleProblem ?? invalidParams(view) ?? missingInput(stage, view);
}

async function executeWith(run: ReproRun, stage: Stage, view: StageView, gpus: GpuLease | undefined): Promise<Outcome> {
  const end = await runNoted(run, stage, view, gpus);
  gpus?.release();
  run.observer.forget(stage.outs.map((out) => out.path));
  if (end.status === 'cancelled') return cancelled(run, stage, end.seconds);
  if (end.status === 'failed') return failed(run, stage, end.failure, end.seconds, end.exitCode);
  run.observer.learn(end.outs);
  const earlier = usesRunCache(stage) ? run.project.store.runs.find(runKey(view.observed.fingerprint)) : [];
  let moved: readonly string[];
  try {
    moved = await changedMeanwhile(run, stage, view);
    if (moved.length === 0) {
      const { outs } = end;
      const kept = run.options.noCommit === true ? {} : { run: end };
      await recordResult(run.project, { stage, view, outs, ...kept });
    }
  } catch (error) {
    end.undo();
    run.observer.forget(end.outs.keys());
    throw error;
  }
  end.keep();
  if (moved.length === 0) compareResults(run, stage, end.outs, earlier);
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

/** Says so where the same inputs gave other bytes than the last time. */
function compareResults(
  run: ReproRun,
  stage: Stage,
  outs: ReadonlyMap<AnyPath, Artifact>,
  earlier: readonly RunRecord[],
): void {
  const last = earlier.find((record) => record.context['committed'] !== true);
  const differing = last === undefined ? [] : differingOuts(last, { outs: insideOuts(outs) });
  if (last === undefined || differing.length === 0) return;
  const when = `${last.startedAt.slice(0, 19).replace('T', ' ')} UTC`;
  run.emit({
    event: 'warning',
    stage: stage.address,
    message: `stage '${stage.address}' made other bytes than the run of ${when} from the same inputs: it is not reproducible (${differing.map((path) => `'${path}'`).join(', ')} differ${differing.length === 1 ? 's' : ''})`,
    hint: 'both results are kept, the newest is what comes back; does it draw random numbers, read the clock, or something that is no dep?',
  });
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

/** Every file that a stage reads: deps, params files and modules. */
function inputPaths(stage: Stage, view: StageView): AnyPath[] {
  const modules = view.observed.fingerprint.worker?.files.keys() ?? [];
  return [...stage.deps.map((dep) => dep.path), ...stage.params.map((params) => params.file), ...modules];
}

/** Holds a stage's paths against other processes while `work` goes on; `work` hears whether it had to wait for them. */
async function holdingPaths<T>(run: ReproRun, stage: Stage, work: (waited: boolean) => Promise<T>): Promise<T> {
  let waited = false;
  const release = await run.project.workspace.acquire(
    {
      read: stage.deps.map((dep) => dep.path),
      write: stage.outs.map((out) => out.path),
      mutex: stage.mutex,
      purpose: `dag repro: stage '${stage.address}'`,
    },
    {
      wait: run.options.wait ?? true,
      signal: run.signals.stop,
      onWait: (holder) => {
        waited = true;
        const message = `waiting for ${holder.purpose} (pid ${holder.pid} on ${holder.host}, since ${holder.since})`;
        run.emit({ event: 'waiting', stage: stage.address, message });
      },
    },
  );
  try {
    return await work(waited);
  } finally {
    release();
  }
}

function announce(run: ReproRun, stage: Stage, decision: Decision): void {
  run.announced.add(stage.address);
  run.emit({ event: 'stage', stage: stage.address, decision, planned: run.options.dry ?? false });
}

function failed(run: ReproRun, stage: Stage, failure: Failure, seconds: number, exitCode?: number): Outcome {
  if (!run.announced.has(stage.address)) announce(run, stage, { kind: 'run', changes: [] });
  const exit = exitCode === undefined ? {} : { exitCode };
  run.emit({ event: 'finished', stage: stage.address, status: 'failed', ...exit, seconds, failure });
  return { kind: 'failed', failure };
}

function cancelled(run: ReproRun, stage: Stage, seconds = 0): Outcome {
  if (!run.announced.has(stage.address)) {
    announce(run, stage, { kind: 'blocked' });
    return { kind: 'cancelled' };
  }
  run.emit({ event: 'finished', stage: stage.address, status: 'cancelled', seconds });
  return { kind: 'cancelled' };
}

function invalidParams(view: StageView): Failure | undefined {
  if (view.paramProblems.length === 0) return undefined;
  return { code: 'invalid-pipeline', diagnostics: view.paramProblems };
}

function missingInput(stage: Stage, view: StageView): Failure | undefined {
  const [param] = view.missingParams;
  if (param !== undefined) return missingParam(stage, param);
  const [dep] = view.missingDeps;
  if (dep === undefined) return undefined;
  const message = `'${dep}', a dep of stage '${stage.address}', does not exist`;
  return { code: 'missing-dep', path: dep, message };
}

function savedSeconds(decision: Restore): number {
  return decision.from.kind === 'run' ? decision.from.record.seconds : 0;
}
