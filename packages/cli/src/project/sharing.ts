import fs from 'node:fs';
import path from 'node:path';
import { FailureError } from '@dag/model';
import { hashText, type Store, writeFileDurable } from '@dag/store';
import { PIPELINE_FILE } from './root.ts';

// A cache that lies elsewhere may be used by several projects. Each leaves its address in the cache, so that gc in one
// keeps what the others need.

/** Writes down that a project uses a cache that is not its own `.cache`. */
export function registerProject(store: Store, root: string): void {
  if (store.dir === path.join(root, '.cache')) return;
  const file = path.join(folderOf(store), `${hashText(root).slice(7, 23)}.json`);
  if (fs.existsSync(file)) return;
  fs.mkdirSync(folderOf(store), { recursive: true });
  const text = `${JSON.stringify({ root, device: fs.statSync(root).dev })}\n`;
  writeFileDurable(file, Buffer.from(text), 0o644, store.tmpFolder());
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
 * @throws FailureError `refused` where a project can't be looked at now, say because its disk is not mounted.
 */
export function otherProjects(store: Store, own: string): Sharing {
  const projects = new Set<string>();
  const gone: { root: string; file: string }[] = [];
  const host = path.dirname(store.dir);
  if (path.basename(store.dir) === '.cache' && isProject(host)) projects.add(host);
  for (const name of fs.existsSync(folderOf(store)) ? fs.readdirSync(folderOf(store)).sort() : []) {
    const file = path.join(folderOf(store), name);
    const entry = readEntry(file);
    if (entry === undefined || entry.root === own) continue;
    if (isProject(entry.root)) projects.add(entry.root);
    else if (fs.statSync(nearestFolder(entry.root)).dev === entry.device) gone.push({ root: entry.root, file });
    else throw outOfSight(entry.root, file);
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

function isProject(folder: string): boolean {
  return fs.existsSync(path.join(folder, PIPELINE_FILE));
}

function nearestFolder(folder: string): string {
  return fs.existsSync(folder) ? folder : nearestFolder(path.dirname(folder));
}

function outOfSight(root: string, file: string): FailureError {
  return new FailureError({
    code: 'refused',
    message: `the project in ${root} uses this cache, and can't be looked at now`,
    hint: `mount its disk; if it is gone for good, remove ${file}`,
  });
}
