import { spawnSync } from 'node:child_process';
import { type ProjectPath, parentPath, ROOT } from '@dag/model';

/** So many paths are asked for at once: they have to fit on a command line. */
const PATHS_AT_ONCE = 400;

/** Those of the paths that git tracks, or that hold something that it tracks; none outside git. */
export function trackedByGit(root: string, paths: readonly ProjectPath[]): ReadonlySet<ProjectPath> {
  const wanted = new Set(paths);
  const tracked = new Set<ProjectPath>();
  for (const file of filesInGit(root, paths)) {
    for (let at = file; ; at = parentPath(at)) {
      if (wanted.has(at)) tracked.add(at);
      if (at === ROOT) break;
    }
  }
  return tracked;
}

/** Every pipeline.lock of the project that git tracks; none outside git. */
export function lockFilesInGit(root: string): ProjectPath[] {
  const text = git(root, ['ls-files', '-z', '--', 'pipeline.lock', ':(glob)**/pipeline.lock']) ?? '';
  return [...new Set(text.split('\0').filter((file) => file !== '') as ProjectPath[])];
}

/** Files of the project that git neither tracks nor ignores, sorted; none outside git. */
export function untrackedByGit(root: string): ProjectPath[] {
  const text = git(root, ['ls-files', '-z', '--others', '--exclude-standard']) ?? '';
  // A repository inside this one is given as a folder.
  return text.split('\0').filter((file) => file !== '' && !file.endsWith('/')) as ProjectPath[];
}

function* filesInGit(root: string, paths: readonly ProjectPath[]): Iterable<ProjectPath> {
  for (let from = 0; from < paths.length; from += PATHS_AT_ONCE) {
    const some = paths.slice(from, from + PATHS_AT_ONCE);
    const files = listed(root, some);
    if (files !== undefined) yield* files;
    else if (git(root, ['rev-parse', '--git-dir']) === undefined) return;
    // One that git does not answer for, in a submodule say, is not to hide the others.
    else for (const path of some) yield* listed(root, [path]) ?? [];
  }
}

/** The files of git's at or in the paths; undefined where git refuses. */
function listed(root: string, paths: readonly ProjectPath[]): ProjectPath[] | undefined {
  const text = git(root, ['ls-files', '-z', '--', ...paths.map((path) => `:(literal)${path}`)]);
  return text?.split('\0').filter((file) => file !== '') as ProjectPath[] | undefined;
}

function git(root: string, args: readonly string[]): string | undefined {
  const { status, stdout } = spawnSync('git', ['-C', root, ...args], { encoding: 'utf8', maxBuffer: 1 << 28 });
  return status === 0 ? stdout : undefined;
}
