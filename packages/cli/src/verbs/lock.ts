import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { type Artifact, FailureError, type ProjectPath } from '@dag/model';
import { renderMerged, splitConflicts } from '@dag/pipeline';
import { EXIT } from '../failure.ts';
import { type MergedTexts, mergeLockTexts } from '../project/merge-locks.ts';
import { findRoot, gitTop, requireRoot, toProjectPath } from '../project/root.ts';
import type { Context } from '../verb.ts';

const LOCK_FILE = 'pipeline.lock';

/** What git calls as its merge driver: `base`, `ours` and `theirs` are files, and the result goes into `ours`. */
export async function lockMerge(context: Context, words: readonly string[]): Promise<number> {
  const [base = '', ours = '', theirs = '', name = LOCK_FILE] = words.map((word) => path.resolve(context.cwd, word));
  const cwd = nearestFolder(path.dirname(name));
  const root = findRoot(cwd) ?? cwd;
  const file = (toProjectPath(root, context.cwd, name) ?? LOCK_FILE) as ProjectPath;
  const texts = { base: read(base), ours: read(ours), theirs: read(theirs) };
  let merged: MergedTexts;
  try {
    merged = await mergeLockTexts({ ...context, cwd }, file, texts);
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    context.io.err(`${file}: one of the versions is no sound lock, so git merges it line by line\n`);
    return mergeLines(context, [ours, base, theirs]);
  }
  fs.writeFileSync(ours, renderMerged(merged, file, { ours: 'ours', theirs: 'theirs' }));
  tell(context, file, merged);
  return merged.conflicts.length > 0 ? EXIT.unsuccessful : EXIT.done;
}

interface ResolveFlags {
  readonly ours?: boolean;
  readonly theirs?: boolean;
}

/** Merges what the two sides of git's conflict markers say. */
export async function lockResolve(context: Context, named: readonly string[], flags: ResolveFlags): Promise<number> {
  const root = requireRoot({ root: context.root, cwd: context.cwd, env: context.io.env });
  const files = named.length > 0 ? named.map((text) => fileNamed(root, context, text)) : locksInGit(root);
  let resolved = 0;
  let status: number = EXIT.done;
  for (const file of files) {
    const absolute = path.join(root, file);
    const sides = splitConflicts(read(absolute));
    if (sides === undefined) {
      if (named.length > 0) context.print(`${file} holds no conflict.`);
      continue;
    }
    const merged = chosen(await mergeLockTexts(context, file, { base: baseInGit(absolute), ...sides }), flags);
    const temp = `${absolute}.${process.pid}.tmp`;
    fs.writeFileSync(temp, renderMerged(merged, file, { ours: 'ours', theirs: 'theirs' }));
    fs.renameSync(temp, absolute);
    resolved++;
    tell(context, file, merged);
    if (merged.conflicts.length > 0) status = EXIT.unsuccessful;
    else context.print(`${file} is merged: 'git add' it.`);
  }
  if (resolved === 0 && named.length === 0) context.print('No pipeline.lock holds a conflict.');
  return status;
}

/** Conflicts of data settled as the flags say. */
function chosen(merged: MergedTexts, { ours, theirs }: ResolveFlags): MergedTexts {
  if (ours !== true && theirs !== true) return merged;
  const data = new Map<ProjectPath, Artifact>(merged.lock.data);
  for (const conflict of merged.conflicts) {
    const one = ours === true ? conflict.ours : conflict.theirs;
    if (one === undefined) data.delete(conflict.path);
    else data.set(conflict.path, one);
  }
  return { ...merged, lock: { ...merged.lock, data }, conflicts: [] };
}

function tell(context: Context, file: ProjectPath, { stale, conflicts, inside, unlisted, unsound }: MergedTexts): void {
  context.emit({ event: 'summary', file, stale, conflicts: conflicts.map(({ path }) => path) });
  if (context.json) return;
  if (stale.length > 0) {
    context.say(`${file}: both sides ran ${list(stale)}; taken out, so that 'dag repro' settles it`);
  }
  let unopened = false;
  for (const { path: tracked, ours, theirs } of conflicts) {
    const isFolder = ours?.kind === 'folder' && theirs?.kind === 'folder';
    unopened ||= unsound && isFolder;
    const within = inside.get(tracked);
    const gone = ours === undefined ? 'we removed it' : theirs === undefined ? 'they removed it' : undefined;
    const why =
      within === undefined
        ? (gone ?? (unlisted.has(tracked) ? UNLISTED : 'both sides changed it'))
        : `both sides changed ${list(within)} in it`;
    context.say(`${file}: conflict in ${tracked}: ${why}`);
  }
  if (unopened)
    context.say(
      "  settle what keeps the project from being read ('dag status' names it), and 'dag lock resolve' merges folders file by file",
    );
  if (conflicts.length > 0) context.say("  choose with 'dag lock resolve --ours' or '--theirs'");
}

const UNLISTED = 'both sides changed it, and neither the cache nor a remote has the listings to merge it file by file';

function list(names: readonly string[]): string {
  const shown = names.slice(0, 10);
  const more = names.length - shown.length;
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** As git does without a driver: conflict markers go into the first of the files. */
function mergeLines(context: Context, files: readonly string[]): number {
  const { status } = spawnSync('git', ['merge-file', '-L', 'ours', '-L', 'base', '-L', 'theirs', ...files], {
    env: context.io.env as NodeJS.ProcessEnv,
    stdio: 'ignore',
  });
  return status === 0 ? EXIT.done : EXIT.unsuccessful;
}

function read(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    throw new FailureError({ code: 'io', message: `can't read '${file}': ${(error as Error).message}`, path: file });
  }
}

function nearestFolder(folder: string): string {
  return fs.existsSync(folder) ? fs.realpathSync(folder) : nearestFolder(path.dirname(folder));
}

function fileNamed(root: string, context: Context, text: string): ProjectPath {
  const file = toProjectPath(root, fs.realpathSync(context.cwd), text);
  if (file !== undefined && path.basename(file) === LOCK_FILE && fs.existsSync(path.join(root, file))) return file;
  throw new FailureError({ code: 'usage', message: `'${text}' is no ${LOCK_FILE} of this project` });
}

/** Every pipeline.lock of the project that git knows, and that of the root. */
function locksInGit(root: string): ProjectPath[] {
  const pattern = `:(glob)**/${LOCK_FILE}`;
  const { status, stdout } = spawnSync('git', ['-C', root, 'ls-files', '-z', '--', pattern], { encoding: 'utf8' });
  const known = status === 0 ? stdout.split('\0').filter(Boolean) : [];
  return [...new Set([...known, LOCK_FILE])].filter((file) => fs.existsSync(path.join(root, file))) as ProjectPath[];
}

/** What both sides began with, while git has it in its index; else empty. */
function baseInGit(absolute: string): string {
  const top = gitTop(path.dirname(absolute));
  if (top === undefined) return '';
  const name = path.relative(top, absolute).split(path.sep).join('/');
  const { status, stdout } = spawnSync('git', ['-C', top, 'show', `:1:${name}`], { encoding: 'utf8' });
  return status === 0 ? stdout : '';
}
