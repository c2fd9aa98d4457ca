import { lstatSync, type Stats, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import { type ProjectPath, resolvePath, type TreeEntry } from '@dag/model';

/** Names that are never written, whatever a listing says: git runs what it finds in there. */
function isGitFolder(name: string): boolean {
  return name.replace(IGNORED_BY_HFS, '').toLowerCase() === '.git';
}

/** Characters that HFS+ takes for none in a name, as git has them. */
const IGNORED_BY_HFS = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;

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
  const own = skip.map((folder) => statSync(folder, { throwIfNoEntry: false }));
  const isCache = ({ dev, ino }: Stats): boolean => own.some((stats) => stats?.ino === ino && stats.dev === dev);
  let at = root;
  for (const [i, part] of parts.entries()) {
    at = join(at, part);
    const stats = lstatSync(at, { throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    // By another name: where case doesn't count, `.Cache` is the cache.
    if (isCache(stats)) return 'it is inside the cache';
    if (i === parts.length - 1) return undefined;
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
