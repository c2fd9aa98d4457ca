import {
  type AnyPath,
  type Artifact,
  type Change,
  type Diagnostic,
  FailureError,
  type LockedStage,
  type ProjectPath,
  type RunKey,
  type Stage,
  type StageAddress,
  sameArtifact,
  type TrackedData,
} from '@dag/model';
import { inputChanges, outChanges } from './decide.ts';
import { stagePaths, viewStage } from './observe-stage.ts';
import { Observer } from './observer.ts';
import type { LastKnown, Project } from './project.ts';
import { type Left, leftOf } from './run/checkpoints.ts';
import { runKey } from './run-key.ts';
import { whatChanged } from './what-changed.ts';

/** What differs from the locks; stages and data in which nothing does are left out. */
export interface Status {
  readonly stages: ReadonlyMap<StageAddress, readonly Change[]>;
  readonly data: ReadonlyMap<ProjectPath, readonly Change[]>;
  /** Those of `data` that nobody touched: their entry was changed, and they are to follow it. */
  readonly behind: readonly ProjectPath[];
  /** What changed stages would go on from, those that were ended early with the inputs of now. */
  readonly left: ReadonlyMap<StageAddress, Left>;
}

/** Compares the workspace with the locks. Reads only; waits for no other process. Throws where a params file is broken. */
export async function status(opened: Project, stages: readonly Stage[], data: readonly TrackedData[]): Promise<Status> {
  const project = { ...opened, locks: opened.locks.once() };
  project.locks.require(stages);
  const observer = new Observer(project);
  const seen = await observer.observe([...stages.flatMap(stagePaths), ...data.map((entry) => entry.path)]);
  const problems: Diagnostic[] = [];
  const changedStages = new Map<StageAddress, readonly Change[]>();
  const left = new Map<StageAddress, Left>();
  for (const stage of stages) {
    const { changes, key } = await stageStatus(project, observer, stage, problems);
    if (changes.length === 0) continue;
    changedStages.set(stage.address, changes);
    const kept = leftOf(project.root, stage, key());
    if (kept !== undefined) left.set(stage.address, kept);
  }
  // A params file that can't be read is no param that was deleted.
  if (problems.length > 0) throw new FailureError({ code: 'invalid-pipeline', diagnostics: [...new Set(problems)] });
  const changedData = new Map<ProjectPath, readonly Change[]>();
  const behind: ProjectPath[] = [];
  let known: LastKnown | undefined;
  for (const entry of data) {
    const state = { path: entry.path, seen: seen.get(entry.path), locked: project.locks.data(entry) };
    const change = dataChange(project, entry, state.locked, state.seen);
    if (change === undefined) continue;
    changedData.set(entry.path, [change]);
    if (state.seen === undefined || sameArtifact(state.seen, state.locked)) continue;
    known ??= project.lastKnown();
    const what = await whatChanged(project, state, known);
    if (what === 'entry') behind.push(entry.path);
  }
  return { stages: changedStages, data: changedData, behind, left };
}

async function stageStatus(
  project: Project,
  observer: Observer,
  stage: Stage,
  problems: Diagnostic[],
): Promise<{ readonly changes: Change[]; readonly key: () => RunKey }> {
  const { observed, paramProblems } = await viewStage(project, observer, stage);
  problems.push(...paramProblems);
  const locked = project.locks.stage(stage);
  const inputs = stage.frozen ? [] : inputChanges(stage, locked, observed);
  const key = (): RunKey => runKey(observed.fingerprint);
  if (locked === undefined) return { changes: stage.frozen ? missingOuts(stage, observed.outs) : inputs, key };
  const outs = outChanges(stage, locked, observed, false);
  return { changes: [...inputs, ...outs, ...notInCache(project, stage, locked, observed.outs)], key };
}

/** What nobody will make: the stage is frozen, and never ran. */
function missingOuts(stage: Stage, outs: ReadonlyMap<AnyPath, Artifact | undefined>): Change[] {
  const missing = stage.outs.filter(({ path }) => outs.get(path) === undefined);
  return missing.map(({ path }) => ({ changed: 'out', path, how: 'deleted' }));
}

function notInCache(
  project: Project,
  stage: Stage,
  locked: LockedStage,
  outs: ReadonlyMap<AnyPath, Artifact | undefined>,
): Change[] {
  return stage.outs.flatMap(({ path, cache }): Change[] => {
    const artifact = outs.get(path);
    if (!cache || artifact === undefined || !sameArtifact(artifact, locked.outs.get(path))) return [];
    if (project.workspace.isComplete(artifact)) return [];
    return [{ changed: 'out', path, how: 'not-in-cache', after: artifact }];
  });
}

function dataChange(
  project: Project,
  { path }: TrackedData,
  before: Artifact | undefined,
  after: Artifact | undefined,
): Change | undefined {
  if (before === undefined && after === undefined) return { changed: 'data', path, how: 'deleted' };
  if (before === undefined) return { changed: 'data', path, how: 'new', ...(after === undefined ? {} : { after }) };
  if (after === undefined) return { changed: 'data', path, how: 'deleted', before };
  if (!sameArtifact(before, after)) return { changed: 'data', path, how: 'modified', before, after };
  return project.workspace.isComplete(after) ? undefined : { changed: 'data', path, how: 'not-in-cache', after };
}
