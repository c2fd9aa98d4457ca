import type { Brand } from './brand.ts';

/**
 * A path in a project, relative to its root: `/`-separated, no `.` or `..` part, no leading or trailing slash.
 * The root itself is the empty string.
 */
export type ProjectPath = Brand<string, 'ProjectPath'>;

/** The project root. */
export const ROOT = '' as ProjectPath;

/** A part that is empty, `.` or `..`: without one a path is in normal form already, as most are. */
const LOOSE = /(?:^|\/)\.{0,2}(?:\/|$)/;

/**
 * Resolves a path as the user wrote it against a folder of the project.
 * @returns undefined when it leads out of the project or holds a NUL. Absolute paths are the caller's to relate first.
 */
export function resolvePath(folder: ProjectPath, written: string): ProjectPath | undefined {
  if (written.startsWith('/') || written.includes('\0')) return undefined;
  if (!LOOSE.test(written)) return joinPath(folder, written);
  const parts = folder === '' ? [] : folder.split('/');
  for (const part of written.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join('/') as ProjectPath;
}

/** Validates a path that must already be in normal form, as it stands in a lock or a record. */
export function parseProjectPath(text: string): ProjectPath | undefined {
  return resolvePath(ROOT, text) === text ? (text as ProjectPath) : undefined;
}

/** `path` as seen from `folder`: how a user in that folder writes it, with `..` where needed; `.` for the folder itself. */
export function relativePath(folder: ProjectPath, path: ProjectPath): string {
  const from = folder === '' ? [] : folder.split('/');
  const to = path === '' ? [] : path.split('/');
  let shared = 0;
  while (shared < from.length && shared < to.length && from[shared] === to[shared]) shared++;
  const parts = [...from.slice(shared).map(() => '..'), ...to.slice(shared)];
  return parts.length === 0 ? '.' : parts.join('/');
}

/** The folder that holds `path`; the root for a top-level one. */
export function parentPath(path: ProjectPath): ProjectPath {
  const slash = path.lastIndexOf('/');
  return (slash === -1 ? '' : path.slice(0, slash)) as ProjectPath;
}

/** The last part of `path`. */
export function baseName(path: ProjectPath): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Joins a path and a name inside it. */
export function joinPath(folder: ProjectPath, name: string): ProjectPath {
  return (folder === '' ? name : `${folder}/${name}`) as ProjectPath;
}

/** Whether `path` is `folder` or lies inside it. */
export function isWithin(folder: ProjectPath, path: ProjectPath): boolean {
  return folder === '' || path === folder || path.startsWith(`${folder}/`);
}

/** Whether one of the two holds the other, or they are the same. */
export function overlaps(a: ProjectPath, b: ProjectPath): boolean {
  return isWithin(a, b) || isWithin(b, a);
}
