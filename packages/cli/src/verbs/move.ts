import fs from 'node:fs';
import path from 'node:path';
import {
  FailureError,
  joinPath,
  overlaps,
  type ProjectPath,
  parentPath,
  relativePath,
  sameArtifact,
  type TrackedData,
} from '@dag/model';
import { addDataText, removeDataText, renameDataText } from '@dag/pipeline';
import { fsyncFile, fsyncFolder, isErrno, tempName } from '@dag/store';
import { asFailure, EXIT } from '../failure.ts';
import { edited, pipelineFileFor, textOf } from '../project/edit.ts';
import { type OpenProject, openProject, reloaded } from '../project/open.ts';
import { rememberTracked } from '../project/remembered.ts';
import { toProjectPath } from '../project/root.ts';
import { waiting } from '../project/waiting.ts';
import type { Context } from '../verb.ts';

export async function move(context: Context, [from = '', to = '']: readonly string[]): Promise<number> {
  const project = await openProject(context, { mutates: true });
  try {
    const entry = entryAt(project, pathOf(project, context, from), from);
    const wanted = pathOf(project, context, to);
    const begun = await begunMove(project, entry, wanted);
    const isMoved = begun !== undefined;
    const target = begun ?? targetOf(project, entry, wanted, to);
    const release = await project.workspace.acquire(
      { read: [], write: [entry.path, target], purpose: `dag move ${entry.path} ${target}` },
      waiting(context),
    );
    try {
      await rename(project, entry, target, isMoved);
    } finally {
      release();
    }
    for (const stage of project.pipeline.stages.values()) {
      if (!stage.deps.some((dep) => overlaps(dep.path, entry.path))) continue;
      context.say(`stage '${stage.address}' still names '${entry.path}': change it in ${stage.file}`);
    }
    context.emit({ moved: { from: entry.path, to: target } });
    context.print(`moved  ${entry.path} -> ${target}`);
    return EXIT.done;
  } finally {
    await project.close();
  }
}

function pathOf(project: OpenProject, context: Context, written: string): ProjectPath {
  const found = toProjectPath(project.root, fs.realpathSync(context.cwd), written);
  if (found !== undefined) return found;
  throw new FailureError({ code: 'usage', message: `'${written}' does not lie inside the project` });
}

function entryAt(project: OpenProject, wanted: ProjectPath, written: string): TrackedData {
  const entry = project.pipeline.data.find(({ path }) => path === wanted);
  if (entry !== undefined) return entry;
  for (const stage of project.pipeline.stages.values()) {
    if (!stage.outs.some((out) => overlaps(out.path, wanted))) continue;
    throw usage(
      `'${written}' is made by stage '${stage.address}', so it can't be moved by itself`,
      `change its path in ${stage.file}, and move the file with mv: then 'dag commit ${stage.address}'`,
    );
  }
  const holder = project.pipeline.data.find(({ path }) => overlaps(path, wanted));
  if (holder === undefined) throw usage(`'${written}' is not tracked`, "see data: in pipeline.yaml, or 'dag add' it");
  throw usage(
    `'${written}' is not tracked by itself: '${holder.path}' is`,
    `move it with mv, then 'dag add ${holder.path}'`,
  );
}

/** The new path, checked: nothing stands there, nothing tracks it, and its folder exists. */
function targetOf(project: OpenProject, entry: TrackedData, wanted: ProjectPath, written: string): ProjectPath {
  const absolute = (at: ProjectPath): string => path.join(project.root, at);
  const isFolder = (at: ProjectPath): boolean =>
    fs.statSync(absolute(at), { throwIfNoEntry: false })?.isDirectory() === true;
  const isInto = isFolder(wanted) && wanted !== entry.path;
  const target = isInto ? (path.posix.join(wanted, path.posix.basename(entry.path)) as ProjectPath) : wanted;
  if (target === '' || target === entry.path || overlaps(entry.path, target)) {
    throw usage(`'${entry.path}' can't be moved to '${written}': that is itself, or inside it`);
  }
  if (/(^|\/)(\.git|\.cache)(\/|$)/.test(target)) throw usage(`'${target}' is git's or dag's own`);
  if (/(^|\/)pipeline\.(yaml|lock)$/.test(target)) throw usage(`'${target}' is dag's own`);
  const others = [
    ...project.pipeline.data.filter((data) => data !== entry).map((data) => data.path),
    ...[...project.pipeline.stages.values()].flatMap((stage) => stage.outs.map((out) => out.path)),
  ];
  const other = others.find((one) => overlaps(one, target));
  if (other !== undefined) throw usage(`'${target}' can't be used: '${other}' is tracked already`);
  if (!isFolder(parentPath(target))) {
    throw usage(`there is no folder '${parentPath(target)}'`, `make it first: mkdir -p ${parentPath(target)}`);
  }
  if (fs.lstatSync(absolute(target), { throwIfNoEntry: false }) === undefined) {
    if (fs.lstatSync(absolute(entry.path), { throwIfNoEntry: false }) !== undefined) return target;
    throw usage(`'${entry.path}' is not there`, "bring it back first: 'dag checkout'");
  }
  throw usage(`'${target}' exists already`, 'move it out of the way first');
}

/** Where a move was to that was killed: the path itself, or one in the folder that it names. */
async function begunMove(project: OpenProject, entry: TrackedData, wanted: ProjectPath) {
  const isFolder = fs.statSync(path.join(project.root, wanted), { throwIfNoEntry: false })?.isDirectory() === true;
  const inside = isFolder ? [joinPath(wanted, path.posix.basename(entry.path))] : [];
  for (const at of [wanted, ...inside]) {
    if (await wasMoved(project, entry, at)) return at;
  }
  return undefined;
}

/**
 * Whether a move there was killed before its entry was written: the data is at its new path, and at the old one nothing; or,
 * on another disk, nothing that the new one lacks, for the original goes file by file when the copy is whole.
 */
async function wasMoved(project: OpenProject, entry: TrackedData, target: ProjectPath): Promise<boolean> {
  const stats = (at: ProjectPath) => fs.lstatSync(path.join(project.root, at), { throwIfNoEntry: false });
  const [old, copy, locked] = [stats(entry.path), stats(target), project.locks.data(entry)];
  if (copy === undefined || locked === undefined || overlaps(entry.path, target)) return false;
  if (old !== undefined && old.dev === copy.dev) return false;
  if (!sameArtifact(locked, (await project.workspace.observe([target])).get(target))) return false;
  const [left, there] = [await project.workspace.list([entry.path]), await project.workspace.list([target])];
  for (const [at, { digest, kind }] of left) {
    if (kind === 'file' && there.get(`${target}${at.slice(entry.path.length)}` as ProjectPath)?.digest !== digest) {
      return false;
    }
  }
  return true;
}

/** The data first: where that fails, nothing has changed. Done again after a kill, it goes on where it was. */
async function rename(project: OpenProject, entry: TrackedData, target: ProjectPath, isMoved: boolean): Promise<void> {
  const texts = newTexts(project, entry, target);
  const [from, to] = [path.join(project.root, entry.path), path.join(project.root, target)];
  project.workspace.updateGitignore({ add: [target], remove: [] });
  try {
    if (isMoved) fs.rmSync(from, { recursive: true, force: true });
    else relocate(from, to);
  } catch (error) {
    project.workspace.updateGitignore({ add: [], remove: [target] });
    if (asFailure(error) === undefined) throw error;
    throw new FailureError(
      {
        code: 'io',
        path: target,
        message: `'${entry.path}' can't be moved to '${target}': ${(error as Error).message}`,
        hint: "copy it, then 'dag add' the copy and 'dag remove' the original",
      },
      { cause: error },
    );
  }
  const artifact = project.locks.data(entry);
  const file = pipelineFileFor(project, target);
  await project.locks.exclusively(() => {
    for (const [name, text] of texts) project.workspace.writeFileAtomic(name, text);
    project.workspace.updateGitignore({ add: [], remove: [entry.path] });
  });
  // The new entry first: at no moment may a gc find that nothing names the data.
  const [gone, come] = [[entry.path, undefined] as const, [target, artifact] as const];
  const isOneLock = file === entry.file;
  await project.locks.update(file, { data: new Map(isOneLock ? [gone, come] : [come]) });
  if (!isOneLock) await project.locks.update(entry.file, { data: new Map([gone]) });
  await rememberTracked(reloaded(project));
}

/** Renames; to another file system it copies, and removes the original when the copy is whole and on disk. */
function relocate(from: string, to: string): void {
  try {
    fs.renameSync(from, to);
    return;
  } catch (error) {
    if (!isErrno(error, 'EXDEV')) throw error;
  }
  const temp = path.join(path.dirname(to), `.dag-${tempName('tmp')}`);
  const mode = fs.constants.COPYFILE_FICLONE;
  try {
    fs.cpSync(from, temp, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true, mode });
    fsyncAll(temp);
    fs.renameSync(temp, to);
    fsyncFolder(path.dirname(to));
  } catch (error) {
    fs.rmSync(temp, { recursive: true, force: true });
    throw error;
  }
  fs.rmSync(from, { recursive: true, force: true });
}

function fsyncAll(at: string): void {
  const stats = fs.lstatSync(at);
  if (stats.isFile()) fsyncFile(at);
  if (!stats.isDirectory()) return;
  for (const name of fs.readdirSync(at)) fsyncAll(path.join(at, name));
  fsyncFolder(at);
}

function newTexts(project: OpenProject, entry: TrackedData, target: ProjectPath): Map<ProjectPath, string> {
  const file = pipelineFileFor(project, target);
  const { desc, remote, push } = entry;
  const texts = new Map<ProjectPath, string>();
  if (file === entry.file) {
    const [from, to] = [entry.path, target].map((one) => relativePath(parentPath(file), one)) as [string, string];
    return texts.set(file, edited(renameDataText(textOf(project, file), file, { from, to })));
  }
  const without = removeDataText(textOf(project, entry.file), entry.file, [
    relativePath(parentPath(entry.file), entry.path),
  ]);
  texts.set(entry.file, edited(without));
  const added = addDataText(texts.get(file) ?? textOf(project, file), file, [
    {
      path: relativePath(parentPath(file), target),
      ...(desc === undefined ? {} : { desc }),
      ...(remote === undefined ? {} : { remote }),
      ...(push ? {} : { push }),
    },
  ]);
  texts.set(file, edited(added));
  return texts;
}

function usage(message: string, hint?: string): FailureError {
  return new FailureError({ code: 'usage', message, ...(hint === undefined ? {} : { hint }) });
}
