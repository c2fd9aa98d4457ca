import type { Brand } from './brand.ts';

/**
 * A path in a project, relative to its root: `/`-separated, no `.` or `..` part, no leading or trailing slash.
 * The root itself is the empty string.
 */
export type ProjectPath = Brand<string, 'ProjectPath'>;

/**
 * A path outside the project: what a stage may read, and make where it is not cached. Relative to the root (`../x/y`: no
 * `..` part but the leading ones) or absolute, as it was written. Never one that holds the project.
 */
export type ExternalPath = Brand<string, 'ExternalPath'>;

/** A path in the project or outside. To a file system it is what `absolutePath` says: joining it to the root is wrong. */
export type AnyPath = ProjectPath | ExternalPath;

/** The project root. */
export const ROOT = '' as ProjectPath;

/** A part that is empty, `.` or `..`: without one a path is in normal form already, as most are. */
const LOOSE = /(?:^|\/)\.{0,2}(?:\/|$)/;

/** Whether a path lies outside the project. */
export function isExternal(path: AnyPath): path is ExternalPath {
  return path.startsWith('/') || path.startsWith('../');
}

/** Whether a path lies in the project. */
export function isInside(path: AnyPath): path is ProjectPath {
  return !isExternal(path);
}

/**
 * Resolves a path as the user wrote it against a folder of the project.
 * @returns undefined when it leads out of the project or holds a NUL. Absolute paths are the caller's to relate first.
 */
export function resolvePath(folder: ProjectPath, written: string): ProjectPath | undefined {
  const path = normalize(folder, written);
  return path === undefined || /^(?:\/|\.\.(?:\/|$))/.test(path) ? undefined : (path as ProjectPath);
}

/**
 * As `resolvePath`, for what may lie outside too. Where the project lies is not known here: an absolute path, or one that
 * leads up and back in, is taken to lie outside.
 * @returns undefined for a folder that is known to hold the project (`..`, `/`), and for a NUL.
 */
export function resolveAnyPath(folder: ProjectPath, written: string): AnyPath | undefined {
  const path = normalize(folder, written);
  return path === undefined || /^(?:\/|(?:\.\.\/)*\.\.)$/.test(path) ? undefined : (path as AnyPath);
}

/** Takes `.`, empty and inner `..` parts out; `..` parts that lead above the folder stay in front, but not above `/`. */
function normalize(folder: ProjectPath, written: string): string | undefined {
  if (written.includes('\0')) return undefined;
  if (!LOOSE.test(written)) return joinPath(folder, written);
  const isAbsolute = written.startsWith('/');
  const parts = isAbsolute || folder === '' ? [] : folder.split('/');
  for (const part of written.split('/')) {
    if (part === '' || part === '.') continue;
    const last = parts.at(-1);
    if (part !== '..' || (!isAbsolute && (last === undefined || last === '..'))) parts.push(part);
    else parts.pop();
  }
  return `${isAbsolute ? '/' : ''}${parts.join('/')}`;
}

/** Validates a path that must already be in normal form, as it stands in a lock or a record. */
export function parseProjectPath(text: string): ProjectPath | undefined {
  return resolvePath(ROOT, text) === text ? (text as ProjectPath) : undefined;
}

/** As `parseProjectPath`, for what may lie outside too. */
export function parseAnyPath(text: string): AnyPath | undefined {
  return resolveAnyPath(ROOT, text) === text ? (text as AnyPath) : undefined;
}

/**
 * Where a path is in the file system.
 * @param root the project root: absolute, without symlinks (those would lead `..` elsewhere), no slash at its end.
 */
export function absolutePath(root: string, path: AnyPath): string {
  if (path.startsWith('/')) return path;
  let folder = root;
  let rest: string = path;
  for (; rest.startsWith('../'); rest = rest.slice(3)) folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/')));
  return rest === '' ? folder : `${folder === '/' ? '' : folder}/${rest}`;
}

/**
 * What an absolute path is to the project whose root is given (both without symlinks): a path in it, `around` where it is
 * a folder that holds the project, undefined where it lies elsewhere.
 */
export function relateToRoot(root: string, absolute: string): ProjectPath | 'around' | undefined {
  if (absolute === root) return ROOT;
  const slash = (folder: string): string => (folder.endsWith('/') ? folder : `${folder}/`);
  if (absolute.startsWith(slash(root))) return absolute.slice(slash(root).length) as ProjectPath;
  return root.startsWith(slash(absolute)) ? 'around' : undefined;
}

/** `path` as seen from `folder`: how a user in that folder writes it, with `..` where needed; `.` for the folder itself. */
export function relativePath(folder: ProjectPath, path: AnyPath): string {
  if (path.startsWith('/')) return path;
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

/** As `parentPath`, to be listed or named: the folder of a path outside may be one that holds the project. */
export function folderOf(path: AnyPath): AnyPath {
  const folder = parentPath(path as ProjectPath);
  return folder === '' && path.startsWith('/') ? ('/' as ExternalPath) : folder;
}

/** The folders above a path, the nearest first: below the root those of the project, else below what holds the project. */
export function* foldersAbove<P extends AnyPath>(path: P): Generator<P> {
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
    const folder = path.slice(0, end);
    if (folder === '..' || folder.endsWith('/..')) return;
    yield folder as P;
  }
}

/** The last part of `path`. */
export function baseName(path: AnyPath): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Joins a path and a name inside it. */
export function joinPath<P extends AnyPath>(folder: P, name: string): P {
  return (folder === '' ? name : `${folder}/${name}`) as P;
}

/** Whether `path` is `folder` or lies inside it. One that is written relative and one that is absolute never do. */
export function isWithin(folder: AnyPath, path: AnyPath): boolean {
  if (folder === '') return !isExternal(path);
  return path === folder || path.startsWith(`${folder}/`);
}

/** Whether one of the two holds the other, or they are the same. */
export function overlaps(a: AnyPath, b: AnyPath): boolean {
  return isWithin(a, b) || isWithin(b, a);
}
