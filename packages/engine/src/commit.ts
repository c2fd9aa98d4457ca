import {
  type AnyPath,
  type Artifact,
  type Change,
  type Failure,
  FailureError,
  type ProjectPath,
  type Stage,
  sameArtifact,
  type TrackedData,
} from '@dag/model';
import { holding } from '@dag/store';
import { inputChanges, keptOuts } from './decide.ts';
import { type StageView, stagePaths, viewStage } from './observe-stage.ts';
import { Observer } from './observer.ts';
import type { LastKnown, Project } from './project.ts';
import { type Finished, recordResults } from './record.ts';
import { whatChanged } from './what-changed.ts';

export interface CommitRequest {
  readonly stages: readonly Stage[];
  /** The outs to be committed, where not all of the stages': the others stay as the lock has them. */
  readonly outs?: ReadonlySet<AnyPath>;
  readonly data: readonly TrackedData[];
  /** Also where deps, params or the command are not what the lock says. */
  readonly force: boolean;
  readonly signal?: AbortSignal;
}

/** What a commit recorded: paths whose lock entry or objects are new. */
export interface CommitReport {
  readonly committed: ReadonlyMap<ProjectPath, Artifact>;
}

/**
 * Takes outs and data as they stand in the workspace for the results of their stages: stores them and writes the lock.
 * Refuses where a stage's inputs differ from the lock, because then the outs needn't be theirs, unless forced.
 * @throws FailureError `refused`, `missing-dep` for an out that is absent.
 */
export function commitStages(project: Project, request: CommitRequest): Promise<CommitReport> {
  return holding(project.store, () => commitHeld(project, request));
}

async function commitHeld(project: Project, request: CommitRequest): Promise<CommitReport> {
  const observer = new Observer(project);
  await observer.observe([...request.stages.flatMap(stagePaths), ...request.data.map((entry) => entry.path)]);
  const wanted = (out: AnyPath): boolean => request.outs?.has(out) ?? true;
  const views = new Map<Stage, StageView>();
  for (const stage of request.stages) {
    const view = await viewStage(project, observer, stage);
    const failure = request.force ? undefined : refusal(project, stage, view, wanted);
    if (failure !== undefined) throw new FailureError(failure);
    views.set(stage, view);
  }
  const failure = request.force ? undefined : await refusalOfData(project, observer, request.data);
  if (failure !== undefined) throw new FailureError(failure);
  const kept = [...views.keys()].flatMap(keptOuts).filter(wanted);
  const paths = [...kept, ...request.data.map((entry) => entry.path)];
  const committed = await project.workspace.commit(
    paths,
    request.signal === undefined ? {} : { signal: request.signal },
  );
  const results: Finished[] = [];
  for (const [stage, view] of views) {
    const outs = new Map<AnyPath, Artifact>();
    for (const { path } of stage.outs) {
      const artifact = wanted(path)
        ? (committed.get(path as ProjectPath) ?? view.observed.outs.get(path))
        : project.locks.stage(stage)?.outs.get(path);
      if (artifact !== undefined) outs.set(path, artifact);
      else if (wanted(path)) throw new FailureError(missingOut(stage, path));
    }
    const isRun = !stage.frozen && stage.outs.every((out) => wanted(out.path));
    const run = { startedAt: project.clock(), seconds: 0, context: { committed: true } };
    results.push({ stage, view, outs, ...(isRun ? { run } : {}) });
  }
  await recordResults(project, results);
  for (const file of new Set(request.data.map((entry) => entry.file))) {
    const entries = request.data.filter((entry) => entry.file === file);
    const data = new Map(entries.map((entry) => [entry.path, committed.get(entry.path)]));
    await project.locks.update(file, { data });
  }
  return { committed };
}

function refusal(
  project: Project,
  stage: Stage,
  view: StageView,
  wanted: (out: AnyPath) => boolean,
): Failure | undefined {
  if (view.paramProblems.length > 0) return { code: 'invalid-pipeline', diagnostics: view.paramProblems };
  if (view.moduleProblem !== undefined) return view.moduleProblem;
  const locked = project.locks.stage(stage);
  const missing = stage.outs.find((out) => wanted(out.path) && view.observed.outs.get(out.path) === undefined);
  if (missing !== undefined) return missingOut(stage, missing.path);
  if (locked === undefined) {
    return {
      code: 'refused',
      message: `stage '${stage.address}' was not committed: it never ran, so nothing says that its outs come from its deps`,
      hint: "run 'dag repro', or 'dag commit -f' if you know that they do",
    };
  }
  if (stage.frozen) return undefined;
  const changes = inputChanges(stage, locked, view.observed).filter(isInput);
  if (changes.length === 0) return undefined;
  const names = changes.map((change) =>
    'path' in change && change.path !== undefined
      ? change.path
      : change.changed === 'param'
        ? `${change.file}:${change.key}`
        : change.changed === 'env'
          ? change.name
          : change.changed,
  );
  return {
    code: 'refused',
    message: `stage '${stage.address}' was not committed: ${names.join(', ')} changed since its outs were made`,
    hint: "run 'dag repro', or 'dag commit -f' if you know that the outs are still right",
  };
}

/** Data that nobody changed: to record it as it stands would take files out of it, or undo what git did to its entry. */
async function refusalOfData(
  project: Project,
  observer: Observer,
  data: readonly TrackedData[],
): Promise<Failure | undefined> {
  const observed = await observer.observe(data.map((entry) => entry.path));
  let known: LastKnown | undefined;
  for (const entry of data) {
    const { path } = entry;
    const [seen, locked] = [observed.get(path), project.locks.data(entry)];
    if (seen === undefined || sameArtifact(seen, locked)) continue;
    known ??= project.lastKnown();
    const isPart = locked !== undefined && (project.partial.has(path) || known.placing.has(path));
    if (!isPart && (await whatChanged(project, { path, seen, locked }, known)) !== 'entry') continue;
    const all = `if it is to be as it stands here, record it with 'dag add ${path}' or 'dag commit -f'`;
    return {
      code: 'refused',
      ...(isPart
        ? {
            message: `'${path}' was not committed: only a part of it is here`,
            hint: `get the rest with 'dag pull ${path}'; or, ${all}`,
          }
        : {
            message: `'${path}' was not committed: it is as it was before git changed pipeline.lock`,
            hint: `'dag checkout ${path}' puts in place what that names; or, ${all}`,
          }),
    };
  }
  return undefined;
}

function isInput(change: Change): boolean {
  return change.changed !== 'always' && change.changed !== 'out';
}

function missingOut(stage: Stage, path: AnyPath): Failure {
  return {
    code: 'missing-dep',
    path,
    message: `'${path}', an out of stage '${stage.address}', does not exist`,
    hint: `run 'dag repro ${stage.address}', or restore it with 'dag checkout'`,
  };
}
