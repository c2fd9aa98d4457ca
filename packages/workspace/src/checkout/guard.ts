import { lstatSync } from 'node:fs';
import { join, sep } from 'node:path';
import { type ProjectPath, resolvePath, type TreeEntry } from '@dag/model';

/** Names that are never written, whatever a listing says: git runs what it finds in there. */
function isGitFolder(name: string): boolean {
  return name.toLowerCase() === '.git';
}

/**
 * Why nothing may be written at a path, in words; undefined when it may. Asked for every item, since paths come from files
 * that others wrote: not in .git or the cache, and not through a symlink, which could lead anywhere.
 */
export function pathProblem(root: string, path: ProjectPath, skip: readonly string[]): string | undefined {
  const parts = path.split('/');
  if (path === '') return 'it is the project itself';
  if (parts.some(isGitFolder)) return 'it is inside .git';
  const abs = join(root, path);
  if (skip.some((folder) => abs === folder || abs.startsWith(folder + sep))) return 'it is inside the cache';
  let at = root;
  for (const part of parts.slice(0, -1)) {
    at = join(at, part);
    const stats = lstatSync(at, { throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    if (stats.isSymbolicLink()) return `${part} on its way is a symlink`;
    if (!stats.isDirectory()) return `${part} on its way is not a folder`;
  }
  return undefined;
}

/** Why an entry of a listing can't be written in `folder`; undefined when it can. */
export function entryProblem(folder: ProjectPath, entry: TreeEntry): string | undefined {
  if (isGitFolder(entry.name)) return 'a name that is never written';
  if (entry.kind === 'symlink' && resolvePath(folder, entry.target) === undefined) {
    return 'a symlink that leads out of the project';
  }
  return undefined;
}
