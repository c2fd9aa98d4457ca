import { lstatSync, readFileSync, renameSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type AnyPath, absolutePath, isExternal, parseAnyPath } from '@dag/model';
import { isErrno, ownerOf, writeFileDurable } from '@dag/store';

/** Where one path's content is while it is set aside; undefined when nothing stood there. */
export interface AsideEntry {
  readonly path: AnyPath;
  /** Absolute. */
  readonly at: string | undefined;
}

const NAME = 'journal.json';

/**
 * On disk before anything is renamed: what recover() needs to bring all back. Places in
 * the folder are written without its name, since recover() renames it.
 */
export function writeJournal(folder: string, entries: readonly AsideEntry[]): void {
  const shorten = (at: string): string => (dirname(at) === folder ? basename(at) : at);
  const lines = entries.map(({ path, at }) => ({ path, at: at === undefined ? null : shorten(at) }));
  const text = JSON.stringify({ schema: 1, id: basename(folder), entries: lines });
  const bytes = Buffer.from(`${text}\n`);
  writeFileDurable(join(folder, NAME), bytes, 0o600, folder);
}

/** From here on the new content counts: what was set aside is only rubbish to be removed. */
export function closeJournal(folder: string): void {
  try {
    renameSync(join(folder, NAME), join(folder, 'done.json'));
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

/**
 * The entries of a journal that is still open; none when it was closed, or never written (nothing was renamed then).
 * Where content may lie is checked: in the aside folder, or beside its path under the name that set-aside gives. Of a path
 * outside the project only what lies beside it counts: no journal can bring anything else there, nor take anything away.
 */
export function readJournal(root: string, folder: string): AsideEntry[] {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(join(folder, NAME), 'utf8'));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR') || error instanceof SyntaxError) return [];
    throw error;
  }
  const { schema, id, entries } = (json ?? {}) as Record<string, unknown>;
  if (schema !== 1 || typeof id !== 'string' || !Array.isArray(entries)) return [];
  const found: AsideEntry[] = [];
  for (const entry of entries) {
    const { path: text, at } = (entry ?? {}) as Record<string, unknown>;
    const path = typeof text === 'string' ? parseAnyPath(text) : undefined;
    if (path === undefined || path === '' || (at !== null && typeof at !== 'string')) continue;
    if (at !== null && isBeside(root, id, path, at)) found.push({ path, at });
    else if (isExternal(path)) continue;
    else if (at === null) found.push({ path, at: undefined });
    else if (/^\d+$/.test(at)) found.push({ path, at: join(folder, at) });
  }
  return found;
}

/**
 * A place for a path's content that a rename can reach: in `folder`, or beside it when it is outside the project (another
 * mount of the same device can't be told by its number) or on another file system.
 */
export function placeFor(root: string, folder: string, path: AnyPath, index: number): string {
  const abs = absolutePath(root, path);
  if (isExternal(path)) return join(dirname(abs), `.dag-${basename(folder)}-${index}`);
  if (lstatSync(abs).dev === statSync(folder).dev && statSync(dirname(abs)).dev === statSync(folder).dev) {
    return join(folder, String(index));
  }
  return join(dirname(abs), `.dag-${basename(folder)}-${index}`);
}

function isBeside(root: string, id: string, path: AnyPath, at: string): boolean {
  return (
    ownerOf(id) !== undefined &&
    dirname(at) === dirname(absolutePath(root, path)) &&
    basename(at).startsWith(`.dag-${id}-`)
  );
}

/** Whether anything stands at a path, be it a symlink that leads nowhere. */
export function stands(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}
