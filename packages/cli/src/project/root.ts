import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { FailureError, type ProjectPath, relateToRoot } from '@dag/model';
import { saysRoot } from '@dag/pipeline';
import { withIo } from '@dag/store';

export const PIPELINE_FILE = 'pipeline.yaml';

/**
 * Finds the project root. Inside a git work tree: the nearest folder at or above `cwd` whose pipeline.yaml says
 * `root: true`, else the outermost that holds a pipeline.yaml. Outside git: the nearest that holds one.
 * @returns the absolute path; undefined where there is none.
 */
export function findRoot(cwd: string, env: Env = {}): string | undefined {
  const top = gitTop(cwd, env);
  let found: string | undefined;
  for (const folder of upwards(cwd)) {
    const file = path.join(folder, PIPELINE_FILE);
    if (fs.existsSync(file)) {
      if (top === undefined || saysRoot(withIo('read', file, () => fs.readFileSync(file)))) return folder;
      found = folder;
    }
    if (folder === top) break;
  }
  return found;
}

/**
 * The top of the git work tree that holds a folder; undefined outside git.
 * @param env where it has `GIT_DIR`, the repository may lie elsewhere and leave no trace in the work tree.
 */
export function gitTop(folder: string, env: Env = {}): string | undefined {
  for (const candidate of upwards(folder)) if (fs.existsSync(path.join(candidate, '.git'))) return candidate;
  if ((env['GIT_DIR'] ?? '') === '') return undefined;
  const { status, stdout } = spawnSync('git', ['rev-parse', '--show-toplevel'], { cwd: folder, env, encoding: 'utf8' });
  return status === 0 ? stdout.replace(/\n$/, '') : undefined;
}

/**
 * The root that the user means: `--root`; inside the folder that `DAG_ROOT` names, that one, so that a `dag` which a
 * stage calls finds its own project; else what is found. Fails where there is no project.
 */
export function requireRoot(options: { root?: string | undefined; cwd: string; env: Env }): string {
  const cwd = fs.realpathSync(options.cwd);
  if (options.root !== undefined) return rootAt(path.resolve(cwd, options.root), options.root);
  const outer = options.env['DAG_ROOT'] ?? '';
  const inside = outer !== '' && toProjectPath(outer, cwd, '.') !== undefined;
  const root = inside ? undefined : findRoot(cwd, options.env);
  if (root !== undefined) return root;
  if (outer !== '') return rootAt(outer, outer);
  const dvc = [...upwards(cwd)].find(holdsDvc);
  const hint =
    dvc === undefined ? undefined : `'${path.join(path.relative(cwd, dvc), 'dvc.yaml')}' is DVC's: ${FROM_DVC}`;
  throw notAProject(`no ${PIPELINE_FILE} in this folder or any above it`, hint);
}

/** What to do with DVC's project where there is none of ours. */
export const FROM_DVC = "'mv -f dvc.yaml pipeline.yaml' keeps its stages; docs/from-dvc.md tells the rest";

/** Whether DVC's stages are in a folder. */
export function holdsDvc(folder: string): boolean {
  return fs.existsSync(path.join(folder, 'dvc.yaml'));
}

function rootAt(folder: string, named: string): string {
  if (fs.existsSync(path.join(folder, PIPELINE_FILE))) return fs.realpathSync(folder);
  throw notAProject(`there is no ${PIPELINE_FILE} in '${named}'`);
}

/** A path of the user's, relative to `cwd` or absolute, as a path of the project; undefined when it lies outside. */
export function toProjectPath(root: string, cwd: string, written: string): ProjectPath | undefined {
  const absolute = path.resolve(cwd, written);
  // The root is a real path; what the user wrote may lead there through symlinks.
  for (const place of [relateToRoot(root, absolute), relateToRoot(root, realParent(absolute))]) {
    if (place !== undefined && place !== 'around') return place;
  }
  return undefined;
}

/** A path with the symlinks on the way to its last part resolved, as far as the way is there. */
export function realParent(absolute: string): string {
  const parent = path.dirname(absolute);
  if (parent === absolute) return absolute;
  const real = fs.existsSync(parent) ? fs.realpathSync(parent) : realParent(parent);
  return path.join(real, path.basename(absolute));
}

type Env = Readonly<Record<string, string | undefined>>;

function notAProject(
  message: string,
  hint = "make a project here with 'dag init', or name one with --root",
): FailureError {
  return new FailureError({ code: 'usage', message, hint });
}

function* upwards(folder: string): Generator<string> {
  for (let at = folder; ; at = path.dirname(at)) {
    yield at;
    if (path.dirname(at) === at) return;
  }
}
