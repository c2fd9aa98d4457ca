import fs from 'node:fs';
import path from 'node:path';
import { FailureError } from '@dag/model';
import { hashText, isErrno, removeFile, type Store, writeFileDurable } from '@dag/store';
import { PIPELINE_FILE } from './root.ts';

// A cache that lies elsewhere may be used by several projects. Each leaves its address in the cache, so that gc in one
// keeps what the others need. The project has the entry, too, by a hard link: as long as that is anywhere, so is the project.

/** The project's own name of its entry. */
const LINK = path.join('.cache', 'registered');

/** Writes down that a project uses a cache that is not its own `.cache`. */
export function registerProject(store: Store, root: string): void {
  if (isOwnCache(store.dir, root)) return;
  const file = path.join(folderOf(store), entryName(root));
  const link = path.join(root, LINK);
  if (isOurs(file, root) || (fs.existsSync(file) && readEntry(file)?.linked === false)) return;
  fs.mkdirSync(folderOf(store), { recursive: true });
  fs.mkdirSync(path.dirname(link), { recursive: true });
  const write = (linked: boolean): void => {
    const text = `${JSON.stringify({ root, linked })}\n`;
    writeFileDurable(file, Buffer.from(text), 0o644, store.tmpFolder());
  };
  // One that is a link may be that of others, too.
  const hasOwnFolder = !fs.lstatSync(path.dirname(link)).isSymbolicLink();
  if (hasOwnFolder) forgetOldPlace(store, link);
  write(hasOwnFolder);
  if (hasOwnFolder && !linkTo(file, link)) write(false);
}

/** The entry of a project that was moved says where it was: the project has that very file still. */
function forgetOldPlace(store: Store, link: string): void {
  const entry = fs.existsSync(link) ? readEntry(link) : undefined;
  const old = entry && path.join(folderOf(store), entryName(entry.root));
  if (old !== undefined && isSameFile(old, link)) removeFile(old);
}

function linkTo(file: string, link: string): boolean {
  removeFile(link);
  try {
    fs.linkSync(file, link);
    return true;
  } catch (error) {
    // Another process of the project was faster.
    if (isErrno(error, 'EEXIST')) return isSameFile(file, link);
    if (isErrno(error, 'EXDEV', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK', 'ENOSYS', 'EACCES')) return false;
    throw error;
  }
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
 * @throws FailureError `refused` where a project may be somewhere else by now, or can't be looked at, say because its disk
 * is not mounted, or an entry of the register can't be read.
 */
export function otherProjects(store: Store, own: string): Sharing {
  const projects = new Set<string>();
  const gone: { root: string; file: string }[] = [];
  const unknown: Unknown[] = [];
  const dir = fs.existsSync(store.dir) ? fs.realpathSync(store.dir) : store.dir;
  const host = path.dirname(dir);
  if (path.basename(dir) === '.cache' && isProject(host)) projects.add(host);
  for (const name of fs.existsSync(folderOf(store)) ? fs.readdirSync(folderOf(store)).sort() : []) {
    const file = path.join(folderOf(store), name);
    const entry = readEntry(file);
    if (entry === undefined) throw unreadable(file);
    if (entry.root === own) continue;
    const state = stateOf(entry, file);
    if (state === 'there') projects.add(entry.root);
    else if (state === 'gone') gone.push({ root: entry.root, file });
    else unknown.push({ root: entry.root, file, state });
  }
  if (unknown.length > 0) throw notFound(unknown);
  projects.delete(own);
  return { projects: [...projects], gone };
}

interface Entry {
  readonly root: string;
  /** Whether the project has the entry, too: not across file systems. */
  readonly linked: boolean;
}

function readEntry(file: string): Entry | undefined {
  try {
    const { root, linked } = JSON.parse(fs.readFileSync(file, 'utf8')) as { root?: unknown; linked?: unknown };
    return typeof root === 'string' && path.isAbsolute(root) ? { root, linked: linked === true } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function entryName(root: string): string {
  return `${projectId(root)}.json`;
}

/** What tells the projects that share a cache apart, in its register and in run records: 16 hex digits. */
export function projectId(root: string): string {
  return hashText(root).slice(7, 23);
}

function folderOf(store: Store): string {
  return path.join(store.dir, 'projects');
}

type State = 'there' | 'gone' | 'elsewhere' | 'out of sight';

/** A project is gone only where that is certain: nobody has its entry any more. One that was moved keeps all it needs. */
function stateOf({ root, linked }: Entry, file: string): State {
  try {
    if (isProject(root) || isOurs(file, root)) return 'there';
  } catch {
    return 'out of sight';
  }
  if (linked) return fs.statSync(file).nlink === 1 ? 'gone' : 'elsewhere';
  return 'out of sight';
}

/** Whether a project is in a folder now: at some revisions it need not be. */
export function isProject(folder: string): boolean {
  return statOrNothing(path.join(folder, PIPELINE_FILE)) !== undefined;
}

/** Whether an entry is the one that a project has. */
function isOurs(file: string, root: string): boolean {
  return isSameFile(file, path.join(root, LINK));
}

function isSameFile(a: string, b: string): boolean {
  const [first, second] = [a, b].map(statOrNothing);
  return first !== undefined && second !== undefined && first.ino === second.ino && first.dev === second.dev;
}

function statOrNothing(file: string): fs.BigIntStats | undefined {
  try {
    return fs.statSync(file, { bigint: true });
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

function unreadable(file: string): FailureError {
  return new FailureError({
    code: 'refused',
    message: `${file} can't be read: it names a project that uses this cache`,
    hint: 'run any dag verb in that project after removing the file; nothing is removed as long as it is unknown',
  });
}

interface Unknown {
  readonly root: string;
  readonly file: string;
  readonly state: 'elsewhere' | 'out of sight';
}

function notFound(unknown: readonly Unknown[]): FailureError {
  const named = unknown.map(({ root, state }) =>
    state === 'elsewhere'
      ? `the project that was in ${root} uses this cache, and was moved`
      : `the project in ${root} uses this cache, and can't be looked at now`,
  );
  const files = unknown.map(({ file }) => file).join(' ');
  return new FailureError({
    code: 'refused',
    message: named.join('; '),
    hint: `run any dag verb that writes (dag checkout) where it is now, mount its disk, or have someone collect who may look into it; if it is gone for good, remove ${files}`,
  });
}
