import fs from 'node:fs';
import path from 'node:path';
import { FailureError } from '@dag/model';
import { hashText, type Store, writeFileDurable } from '@dag/store';
import { PIPELINE_FILE } from './root.ts';

// A cache that lies elsewhere may be used by several projects. Each leaves its address in the cache, so that gc in one
// keeps what the others need.

/** Writes down that a project uses a cache that is not its own `.cache`. */
export function registerProject(store: Store, root: string): void {
  if (isOwnCache(store.dir, root)) return;
  const file = path.join(folderOf(store), `${hashText(root).slice(7, 23)}.json`);
  if (fs.existsSync(file)) return;
  fs.mkdirSync(folderOf(store), { recursive: true });
  const text = `${JSON.stringify({ root, device: fs.statSync(root).dev })}\n`;
  writeFileDurable(file, Buffer.from(text), 0o644, store.tmpFolder());
}

/** Whether a cache is the project's own folder, and no link to one that others may use too. */
function isOwnCache(dir: string, root: string): boolean {
  if (dir !== path.join(root, '.cache')) return false;
  return !fs.existsSync(dir) || fs.realpathSync(dir) === path.join(fs.realpathSync(root), '.cache');
}

/** The other projects that use a cache, and those that are gone for good. */
export interface Sharing {
  /** Roots, absolute. */
  readonly projects: readonly string[];
  /** Files of the register whose project is no longer there. */
  readonly gone: readonly { readonly root: string; readonly file: string }[];
}

/**
 * Who shares a cache with a project: the registered ones, and the one whose `.cache` it is.
 * @throws FailureError `refused` where a project can't be looked at now, say because its disk is not mounted, or an entry
 * of the register can't be read.
 */
export function otherProjects(store: Store, own: string): Sharing {
  const projects = new Set<string>();
  const gone: { root: string; file: string }[] = [];
  const dir = fs.existsSync(store.dir) ? fs.realpathSync(store.dir) : store.dir;
  const host = path.dirname(dir);
  if (path.basename(dir) === '.cache' && isProject(host)) projects.add(host);
  for (const name of fs.existsSync(folderOf(store)) ? fs.readdirSync(folderOf(store)).sort() : []) {
    const file = path.join(folderOf(store), name);
    const entry = readEntry(file);
    if (entry === undefined) throw unreadable(file);
    if (entry.root === own) continue;
    const { root, device } = entry;
    const state = stateOf(root, device);
    if (state === 'there') projects.add(root);
    else if (state === 'gone') gone.push({ root, file });
    else throw outOfSight(root, file);
  }
  projects.delete(own);
  return { projects: [...projects], gone };
}

function readEntry(file: string): { root: string; device: number } | undefined {
  try {
    const entry = JSON.parse(fs.readFileSync(file, 'utf8')) as { root?: unknown; device?: unknown };
    const { root, device } = entry;
    return typeof root === 'string' && path.isAbsolute(root) && typeof device === 'number'
      ? { root, device }
      : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function folderOf(store: Store): string {
  return path.join(store.dir, 'projects');
}

/** A project is gone only where its disk says so: one in a folder that we may not enter, or on no disk now, is out of sight. */
function stateOf(root: string, device: number): 'there' | 'gone' | 'out of sight' {
  try {
    if (fs.statSync(path.join(root, PIPELINE_FILE), { throwIfNoEntry: false }) !== undefined) return 'there';
    return fs.statSync(nearestFolder(root)).dev === device ? 'gone' : 'out of sight';
  } catch {
    return 'out of sight';
  }
}

function isProject(folder: string): boolean {
  return fs.existsSync(path.join(folder, PIPELINE_FILE));
}

function nearestFolder(folder: string): string {
  return fs.existsSync(folder) ? folder : nearestFolder(path.dirname(folder));
}

function unreadable(file: string): FailureError {
  return new FailureError({
    code: 'refused',
    message: `${file} can't be read: it names a project that uses this cache`,
    hint: 'run any dag verb in that project after removing the file; nothing is removed as long as it is unknown',
  });
}

function outOfSight(root: string, file: string): FailureError {
  return new FailureError({
    code: 'refused',
    message: `the project in ${root} uses this cache, and can't be looked at now`,
    hint: `mount its disk, or have someone collect who may look into it; if it is gone for good, remove ${file}`,
  });
}
