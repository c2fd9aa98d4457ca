import fs from 'node:fs';
import path from 'node:path';
import {
  type AnyPath,
  type Artifact,
  absolutePath,
  type Diagnostic,
  type ExternalPath,
  type Failure,
  foldersAbove,
  isExternal,
  type ProjectPath,
  type Stage,
  type StageAddress,
} from '@dag/model';
import type { MissingParam } from '@dag/pipeline';
import { decide } from './decide.ts';
import { viewStage } from './observe-stage.ts';
import type { Project } from './project.ts';
import type { ReproRun } from './repro-run.ts';
import { MISSING_PARAM_HINT, missingParamText, SourceProblems } from './source-problems.ts';

/**
 * What must be there before anything runs: a dep that no selected stage makes, and that is not tracked data (that is
 * settled before).
 * @returns one problem for each that is missing, by file and place.
 */
export async function checkSources(run: ReproRun, stages: readonly Stage[]): Promise<readonly Diagnostic[]> {
  const { project, observer } = run;
  const made = new PathIndex([...run.selected].flatMap((address) => outPaths(project, address)));
  const tracked = new PathIndex(project.pipeline.data.map((data) => data.path));
  const problems = new SourceProblems(project);
  for (const stage of stages) {
    if (stage.frozen) {
      // What its lock names comes back from the cache, or is missed by who reads it.
      if (project.locks.stage(stage) !== undefined) continue;
      const { observed } = await viewStage(project, observer, stage);
      if (decide(stage, undefined, observed, run.cached).kind !== 'skip') continue;
      const seen = await observer.observe(stage.outs.map((out) => out.path));
      for (const { path } of stage.outs) if (seen.get(path) === undefined) problems.frozenOut(stage, path);
      continue;
    }
    const seen = await observer.observe(stage.deps.map((dep) => dep.path));
    for (const dep of stage.deps) {
      if (seen.get(dep.path) !== undefined || made.overlaps(dep.path) || tracked.overlaps(dep.path)) continue;
      if (run.options.allowMissing === true && lockedArtifact(project, dep.path, stage) !== undefined) continue;
      problems.dep(stage, dep);
    }
    for (const { path: out } of stage.outs) {
      if (isExternal(out)) {
        if (meetsCache(project, out)) problems.inCache(stage, out);
        continue;
      }
      const link = symlinkAbove(project.root, out);
      if (link !== undefined) problems.behindSymlink(stage, out, link);
    }
    if (stage.action.kind === 'worker' && !made.overlaps(stage.action.module)) {
      problems.module(stage, stage.action.module);
    }
    if (stage.wdir !== '' && !made.overlaps(stage.wdir)) problems.wdir(stage);
    const params = observer.params(stage.params);
    problems.add(params.diagnostics);
    for (const param of params.missing) if (!made.overlaps(param.file)) problems.param(stage, param);
  }
  return problems.sorted();
}

/** Whether a path holds the cache, or lies in it: setting it aside would take objects away. */
function meetsCache(project: Project, out: ExternalPath): boolean {
  const { dir } = project.store;
  const absolute = absolutePath(project.root, out);
  const caches = [dir, ...(fs.existsSync(dir) ? [fs.realpathSync(dir)] : [])];
  return caches.some((cache) => `${cache}/`.startsWith(`${absolute}/`) || absolute.startsWith(`${cache}/`));
}

/**
 * What an absent path is by the locks: what its maker's entry says, what its data entry says, or else what the stage that
 * reads it saw last. Undefined where none of them knows.
 */
export function lockedArtifact(project: Project, path: AnyPath, reader: Stage): Artifact | undefined {
  for (const address of project.pipeline.upstream(reader.address)) {
    const maker = project.pipeline.stages.get(address);
    const out = maker === undefined ? undefined : project.locks.stage(maker)?.outs.get(path);
    if (out !== undefined) return out;
  }
  const data = project.pipeline.data.find((entry) => entry.path === path);
  if (data !== undefined) return project.locks.data(data);
  return project.locks.stage(reader)?.deps.get(path);
}

function outPaths(project: Project, address: StageAddress): AnyPath[] {
  return project.pipeline.stages.get(address)?.outs.map((out) => out.path) ?? [];
}

/** The nearest symlink among the folders above a path; undefined where there is none. */
export function symlinkAbove(root: string, file: ProjectPath): ProjectPath | undefined {
  for (const folder of foldersAbove(file)) {
    if (fs.lstatSync(path.join(root, folder), { throwIfNoEntry: false })?.isSymbolicLink() === true) return folder;
  }
  return undefined;
}

/** Says that a stage asks for a param which is not there. */
export function missingParam(stage: Stage, param: MissingParam): Failure {
  const message = missingParamText(`stage '${stage.address}'`, param);
  return { code: 'missing-dep', path: param.file, message, hint: MISSING_PARAM_HINT };
}

/** Paths that can be asked for overlaps without looking at each of them. */
class PathIndex {
  readonly #paths: ReadonlySet<string>;
  readonly #parents = new Set<string>();

  constructor(paths: readonly AnyPath[]) {
    this.#paths = new Set(paths);
    for (const path of paths) {
      for (const parent of foldersAbove(path)) this.#parents.add(parent);
    }
  }

  overlaps(path: AnyPath): boolean {
    if (this.#parents.has(path) || this.#paths.has(path)) return true;
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      if (this.#paths.has(path.slice(0, slash))) return true;
    }
    return false;
  }
}
