import fs from 'node:fs';
import path from 'node:path';
import {
  type Artifact,
  type Failure,
  overlaps,
  type ProjectPath,
  parentPath,
  type Stage,
  type StageAddress,
} from '@dag/model';
import type { MissingParam } from '@dag/pipeline';
import type { Project } from './project.ts';
import type { ReproRun } from './repro-run.ts';

/**
 * What must be there before anything runs: a dep that no selected stage makes, and that is not tracked data (that is
 * settled before).
 * @returns one failure for each that is missing.
 */
export async function checkSources(run: ReproRun, stages: readonly Stage[]): Promise<Failure[]> {
  const made = [...run.selected].flatMap((address) => outPaths(run.project, address));
  const failures: Failure[] = [];
  const madeIndex = new PathIndex(made);
  const tracked = new PathIndex(run.project.pipeline.data.map((data) => data.path));
  for (const stage of stages) {
    if (stage.frozen) continue;
    const seen = await run.observer.observe(stage.deps.map((dep) => dep.path));
    for (const [dep, artifact] of seen) {
      if (artifact !== undefined || madeIndex.overlaps(dep) || tracked.overlaps(dep)) continue;
      if (run.options.allowMissing === true && lockedArtifact(run.project, dep, stage) !== undefined) continue;
      failures.push(missingDep(run.project, stage, dep));
    }
    failures.push(...behindSymlinks(run.project, stage));
    const place = missingPlace(run.project, stage, madeIndex);
    if (place !== undefined) failures.push(place);
    const params = run.observer.params(stage.params);
    if (params.diagnostics.length > 0) failures.push({ code: 'invalid-pipeline', diagnostics: params.diagnostics });
    for (const param of params.missing) {
      if (!madeIndex.overlaps(param.file)) failures.push(missingParam(stage, param));
    }
  }
  return failures;
}

/**
 * What an absent path is by the locks: what its maker's entry says, what its data entry says, or else what the stage that
 * reads it saw last. Undefined where none of them knows.
 */
export function lockedArtifact(project: Project, path: ProjectPath, reader: Stage): Artifact | undefined {
  for (const address of project.pipeline.upstream(reader.address)) {
    const maker = project.pipeline.stages.get(address);
    const out = maker === undefined ? undefined : project.locks.stage(maker)?.outs.get(path);
    if (out !== undefined) return out;
  }
  const data = project.pipeline.data.find((entry) => entry.path === path);
  if (data !== undefined) return project.locks.data(data);
  return project.locks.stage(reader)?.deps.get(path);
}

function outPaths(project: Project, address: StageAddress): ProjectPath[] {
  return project.pipeline.stages.get(address)?.outs.map((out) => out.path) ?? [];
}

function missingDep(project: Project, stage: Stage, path: ProjectPath): Failure {
  const maker = [...project.pipeline.stages.values()].find((other) =>
    other.outs.some((out) => overlaps(out.path, path)),
  );
  return {
    code: 'missing-dep',
    path,
    message: `'${path}', a dep of stage '${stage.address}' (${stage.file}:${stage.line}), does not exist${
      maker === undefined ? ', and no stage makes it' : ''
    }`,
    hint:
      maker === undefined
        ? `create it, track it with 'dag add ${path}', or take it out of the deps`
        : `stage '${maker.address}' makes it: run 'dag repro ${maker.address}', or restore it with 'dag checkout'`,
  };
}

/** Outs that a symlink on the way would take elsewhere, out of the project perhaps: they could not be put back or restored. */
function behindSymlinks(project: Project, stage: Stage): Failure[] {
  return stage.outs.flatMap(({ path: out }): Failure[] => {
    const link = symlinkAbove(project.root, out);
    if (link === undefined) return [];
    const message = `'${out}', an out of stage '${stage.address}' (${stage.file}:${stage.line}), lies behind the symlink '${link}'`;
    return [{ code: 'usage', message, hint: 'name the real place in the outs; it has to lie in the project' }];
  });
}

/** The nearest symlink among the folders above a path; undefined where there is none. */
export function symlinkAbove(root: string, file: ProjectPath): ProjectPath | undefined {
  for (let folder = parentPath(file); folder !== ''; folder = parentPath(folder)) {
    if (fs.lstatSync(path.join(root, folder), { throwIfNoEntry: false })?.isSymbolicLink() === true) return folder;
  }
  return undefined;
}

/** A module or a working folder that is not there, and that no stage makes. */
function missingPlace(project: Project, stage: Stage, made: PathIndex): Failure | undefined {
  const at = (file: ProjectPath) => fs.statSync(path.join(project.root, file), { throwIfNoEntry: false });
  const named = `stage '${stage.address}' (${stage.file}:${stage.line})`;
  if (stage.action.kind === 'worker' && !made.overlaps(stage.action.module) && at(stage.action.module) === undefined) {
    const message = `the worker module '${stage.action.module}' of ${named} does not exist`;
    return { code: 'missing-dep', path: stage.action.module, message, hint: "create it, or correct 'worker:'" };
  }
  if (stage.wdir === '' || made.overlaps(stage.wdir) || at(stage.wdir)?.isDirectory() === true) return undefined;
  const what = at(stage.wdir) === undefined ? 'does not exist' : 'is not a folder';
  const message = `the wdir '${stage.wdir}' of ${named} ${what}`;
  return { code: 'missing-dep', path: stage.wdir, message, hint: 'make that folder, or correct wdir' };
}

/** Says that a stage asks for a param which is not there. */
export function missingParam(stage: Stage, { file, key }: MissingParam): Failure {
  const what = key === undefined ? `the params file '${file}'` : `the param '${key}' of ${file}`;
  return {
    code: 'missing-dep',
    path: file,
    message: `stage '${stage.address}' (${stage.file}:${stage.line}) asks for ${what}, which is not there`,
    hint: 'add it, or take it out of the params of the stage',
  };
}

/** Paths that can be asked for overlaps without looking at each of them. */
class PathIndex {
  readonly #paths: ReadonlySet<string>;
  readonly #parents = new Set<string>();

  constructor(paths: readonly ProjectPath[]) {
    this.#paths = new Set(paths);
    for (const path of paths) {
      for (let parent = parentPath(path); parent !== ''; parent = parentPath(parent)) this.#parents.add(parent);
    }
  }

  overlaps(path: ProjectPath): boolean {
    if (this.#parents.has(path) || this.#paths.has(path)) return true;
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      if (this.#paths.has(path.slice(0, slash))) return true;
    }
    return false;
  }
}
