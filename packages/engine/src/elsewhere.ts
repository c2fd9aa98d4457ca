import {
  type Artifact,
  type Decision,
  insideOuts,
  isInside,
  type ProjectPath,
  type RunRecord,
  type Stage,
} from '@dag/model';
import { usesRunCache } from './decide.ts';
import type { StageView } from './observe-stage.ts';
import type { ReproRun } from './repro-run.ts';
import { runKey } from './run-key.ts';

/**
 * Brings from the run's fetcher what makes running a stage needless: the outs that the lock names where only they are
 * gone, or the result that somebody else had from the same inputs.
 * @returns whether something came, so that it is worth deciding again.
 */
export async function lookElsewhere(
  run: ReproRun,
  stage: Stage,
  view: StageView,
  decision: Extract<Decision, { kind: 'run' }>,
): Promise<boolean> {
  const { fetcher, force, noRunCache } = run.options;
  if (fetcher === undefined || force === true || stage.alwaysChanged) return false;
  const locked = run.project.locks.stage(stage);
  const onlyOuts = decision.changes.every(
    (change) => change.changed === 'out' && change.before !== undefined && isInside(change.path),
  );
  if (locked !== undefined && onlyOuts && (await fetchAll(run, insideOuts(locked.outs)))) return true;
  if (noRunCache === true || !usesRunCache(stage)) return false;
  const key = runKey(view.observed.fingerprint);
  const records: readonly RunRecord[] = [...run.project.store.runs.find(key), ...(await fetcher.findRuns(key))];
  for (const record of records) {
    if (!(await fetchAll(run, record.outs))) continue;
    await run.project.store.runs.putAll([record]);
    return true;
  }
  return false;
}

/** The run that would be fetched for a stage, as far as can be told without fetching: the newest with its key. */
export async function findElsewhere(run: ReproRun, stage: Stage, view: StageView): Promise<RunRecord | undefined> {
  const { fetcher, force, noRunCache } = run.options;
  if (fetcher === undefined || force === true || noRunCache === true || !usesRunCache(stage)) return undefined;
  const key = runKey(view.observed.fingerprint);
  return run.project.store.runs.find(key)[0] ?? (await fetcher.findRuns(key))[0];
}

async function fetchAll(run: ReproRun, outs: ReadonlyMap<ProjectPath, Artifact>): Promise<boolean> {
  const missing = [...outs].filter(([, artifact]) => !run.project.workspace.isComplete(artifact));
  const items = missing.map(([path, artifact]) => ({ path, artifact }));
  return items.length === 0 || (await run.options.fetcher?.fetch(items, run.signals.stop)) === true;
}
