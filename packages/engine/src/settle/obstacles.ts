import { type Failure, insideOuts, isInside, type Stage } from '@dag/model';
import type { StageView } from '../observe-stage.ts';
import { anyFailed, type Outcome, type ReproRun, stopsOnFailure } from '../repro-run.ts';
import { missingParam } from '../sources.ts';
import { cancelled, failed } from './announce.ts';

/**
 * Fails what is sure to lack GPUs, this stage or one further down, before anything runs for it, and warns of what may;
 * undefined where the stage can run.
 */
export async function shortOfGpus(run: ReproRun, stage: Stage): Promise<Outcome | undefined> {
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

/** What is wrong with what a stage reads. */
export function problemOf(stage: Stage, view: StageView): Failure | undefined {
  return view.moduleProblem ?? invalidParams(view) ?? missingInput(stage, view);
}

/** Outs that git tracks: they would be both git's and the cache's, and each would undo the other's work. */
export function inGit(run: ReproRun, stage: Stage): Failure | undefined {
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
export async function bringDeps(run: ReproRun, stage: Stage, { assumed }: StageView): Promise<Failure | undefined> {
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
