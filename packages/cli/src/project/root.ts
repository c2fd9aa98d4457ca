import fs from 'node:fs';
import path from 'node:path';
import { FailureError, type ProjectPath } from '@dag/model';

export const PIPELINE_FILE = 'pipeline.yaml';

/**
 * Finds the project root. Inside a git work tree: the nearest folder at or above `cwd` whose pipeline.yaml says
 * `root: true`, else the outermost that holds a pipeline.yaml. Outside git: the nearest that holds one.
 * @returns the absolute path; undefined where there is none.
 */
export function findRoot(cwd: string): string | undefined {
  const top = gitTop(cwd);
  let found: string | undefined;
  for (const folder of upwards(cwd)) {
    const file = path.join(folder, PIPELINE_FILE);
    if (fs.existsSync(file)) {
      if (top === undefined || /^root:[ \t]+true[ \t]*(#.*)?$/m.test(fs.readFileSync(file, 'utf8'))) return folder;
      found = folder;
    }
    if (folder === top) break;
  }
  return found;
}

/** The top of the git work tree that holds a folder; undefined outside git. */
export function gitTop(folder: string): string | undefined {
  for (const candidate of upwards(folder)) if (fs.existsSync(path.join(candidate, '.git'))) return candidate;
  return undefined;
}

/** The root that the user means: `--root`, else `DAG_ROOT`, else found. Fails where there is no project. */
export function requireRoot(options: { root?: string | undefined; cwd: string; env: Env }): string {
  const given = options.root ?? options.env['DAG_ROOT'];
  if (given !== undefined && given !== '') {
    const root = path.resolve(options.cwd, given);
    if (fs.existsSync(path.join(root, PIPELINE_FILE))) return fs.realpathSync(root);
    throw notAProject(`there is no ${PIPELINE_FILE} in '${given}'`);
  }
  const root = findRoot(fs.realpathSync(options.cwd));
  if (root === undefined) throw notAProject(`no ${PIPELINE_FILE} in this folder or any above it`);
  return root;
}

/** A path of the user's, relative to `cwd` or absolute, as a path of the project; undefined when it lies outside. */
export function toProjectPath(root: string, cwd: string, written: string): ProjectPath | undefined {
  const relative = path.relative(root, path.resolve(cwd, written));
  if (relative === '..' || relative.startsWith(`..${path.sep}`) || path.isAbsolute(relative)) return undefined;
  return relative.split(path.sep).join('/') as ProjectPath;
}

type Env = Readonly<Record<string, string | undefined>>;

function notAProject(message: string): FailureError {
  return new FailureError({
    code: 'usage',
    message,
    hint: "make a project here with 'dag init', or name one with --root",
  });
}

function* upwards(folder: string): Generator<string> {
  for (let at = folder; ; at = path.dirname(at)) {
    yield at;
    if (path.dirname(at) === at) return;
  }
}
