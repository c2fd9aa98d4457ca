import fs from 'node:fs';
import path from 'node:path';
import { absolutePath, FailureError, isWithin, joinPath, type ProjectPath } from '@dag/model';
import { EXIT } from '../failure.ts';
import { type DataScope, type DataSide, dataChanges, dataNamed } from '../project/data-changes.ts';
import { untrackedByGit } from '../project/git.ts';
import { type OpenProject, openProject } from '../project/open.ts';
import { lookedFor } from '../project/remote-state.ts';
import { gitTop, toProjectPath } from '../project/root.ts';
import { repositoryOf } from '../project/roots.ts';
import { standing } from '../project/sides.ts';
import { allTracked, type CachedPath, pick } from '../project/tracked.ts';
import { trackedAt } from '../project/tracked-then.ts';
import { type DataStatus, dataStatusJson, dataStatusLines } from '../render/data-status.ts';
import { workProgress } from '../render/progress.ts';
import type { Context } from '../verb.ts';

interface Options {
  readonly granular?: boolean;
  readonly unchanged?: boolean;
  readonly untrackedFiles?: string | true;
  readonly notInRemote?: boolean;
  readonly remote?: string;
  readonly exitCode?: boolean;
}

/** `dag data status`: tracked data at HEAD, in pipeline.lock and in the workspace, side by side. */
export async function dataStatus(context: Context, targets: readonly string[], options: Options): Promise<number> {
  const untracked = wantsUntracked(options);
  const project = await openProject(context);
  try {
    const head = headSide(context, project);
    const within = scopeOf(project, targets, head?.side, untracked);
    const scope = { granular: options.granular === true, within };
    const tracked = allTracked(project).flatMap((one) => (one.cache && touches(within, one.path) ? [one] : []));
    const found = await compared(context, project, { head: head?.side, tracked, scope, options });
    const status = { ...found, untracked: untracked ? untrackedIn(project, targets) : [] };
    context.emit(dataStatusJson(status));
    const isEmpty = isUnchanged({ ...status, unchanged: [] });
    if (isUnchanged(status)) context.print(head?.isEmpty === true ? NOTHING_COMMITTED : 'No changes.');
    else for (const line of dataStatusLines(status, context.io.colour.out)) context.print(line);
    return !isEmpty && (options.exitCode === true || context.quiet) ? EXIT.unsuccessful : EXIT.done;
  } finally {
    await project.close();
  }
}

const NOTHING_COMMITTED = 'No changes; the git repository has no commits yet.';

function wantsUntracked({ untrackedFiles: how = 'no' }: Options): boolean {
  if (how === true || how === 'all') return true;
  if (how === 'no') return false;
  throw new FailureError({
    code: 'usage',
    message: `--untracked-files takes 'all' or 'no', not '${how}'`,
    hint: 'targets stand before it, or it is written --untracked-files=all',
  });
}

/** What HEAD's locks name; undefined outside git. Without commits they name nothing. */
function headSide(context: Context, project: OpenProject): { side: DataSide; isEmpty: boolean } | undefined {
  if (gitTop(project.root, context.io.env) === undefined) return undefined;
  const repository = repositoryOf(project.root, context.io.env);
  const commit = repository.commitOf('HEAD');
  const then = commit === undefined ? [] : trackedAt(repository, commit, project.root);
  // What is left in a lock of stages that are gone is no data of theirs.
  const roots = new Map(then.flatMap((one) => (one.declared ? [[one.path, one.artifact] as const] : [])));
  return { side: { roots, inside: undefined }, isEmpty: commit === undefined };
}

interface Compared {
  readonly head: DataSide | undefined;
  readonly tracked: readonly CachedPath[];
  readonly scope: DataScope;
  readonly options: Options;
}

async function compared(
  context: Context,
  project: OpenProject,
  { head, tracked, scope, options }: Compared,
): Promise<Omit<DataStatus, 'untracked'>> {
  const { store } = project;
  const roots = tracked.flatMap((one) => (one.artifact === undefined ? [] : [[one.path, one.artifact] as const]));
  const locked: DataSide = { roots: new Map(roots), inside: undefined };
  const progress = workProgress(context, 'comparing');
  const paths = tracked.map((one) => one.path);
  const here = await standing(project, paths, { ...progress.options, signal: context.stop });
  progress.end();
  const same = options.unchanged === true ? { here: new Set<string>(), head: new Set<string>() } : undefined;
  const uncommitted = dataChanges(store, locked, here, scope, same?.here);
  const committed = head === undefined ? {} : dataChanges(store, head, locked, scope, same?.head);
  const isSame = (path: string): boolean =>
    head === undefined || namesOf(path).some((name) => same?.head.has(name) === true);
  const asksRemote = options.notInRemote === true || options.remote !== undefined;
  return {
    notInCache: notInCache(project, locked, scope),
    notInRemote: asksRemote ? await notInRemote(context, project, locked, { tracked, scope, options }) : [],
    committed,
    uncommitted,
    unchanged: [...(same?.here ?? [])].filter(isSame).sort(),
  };
}

/** A path as it is shown, and the folders that hold it. */
function namesOf(path: string): string[] {
  const above = [...path.matchAll(/\/(?=.)/g)].map(({ index }) => path.slice(0, index + 1));
  return [path, ...above];
}

function notInCache({ store }: OpenProject, locked: DataSide, scope: DataScope): string[] {
  const named = dataNamed(store, locked, scope);
  const missing = new Set(store.missing(named.map(({ artifact }) => artifact.digest)));
  const lacks = ({ artifact, whole }: (typeof named)[number]): boolean =>
    missing.has(artifact.digest) || (whole && !store.isComplete(artifact));
  return named.filter(lacks).map(({ path }) => path);
}

async function notInRemote(
  context: Context,
  project: OpenProject,
  locked: DataSide,
  { tracked, scope, options }: Omit<Compared, 'head'>,
): Promise<string[]> {
  const items = new Map(tracked.flatMap((one) => (one.push ? [[one.path, one] as const] : [])));
  const sought = dataNamed(project.store, locked, scope).flatMap(({ root, path, artifact }) => {
    const item = items.get(root);
    return item === undefined ? [] : [{ item, path, digest: artifact.digest }];
  });
  const found = await lookedFor(project, context, sought, options.remote);
  return found.filter(({ sent }) => !sent).map(({ path }) => path);
}

/**
 * The paths that targets name: tracked ones, those inside them, folders that hold some, outs of stages; what HEAD tracked
 * too. Undefined for all. None lies in another.
 */
function scopeOf(
  project: OpenProject,
  targets: readonly string[],
  head: DataSide | undefined,
  untracked: boolean,
): ProjectPath[] | undefined {
  if (targets.length === 0) return undefined;
  const found = targets.flatMap((target) => pathsOf(project, target, head, untracked));
  return [...new Set(found)].filter((one, _, all) => !all.some((other) => other !== one && isWithin(other, one)));
}

function pathsOf(
  project: OpenProject,
  target: string,
  head: DataSide | undefined,
  untracked: boolean,
): readonly ProjectPath[] {
  const then = pathsThen(project, target, head);
  try {
    const { items } = pick(project, [target], { recursive: true });
    const now = items.flatMap(({ tracked, inside }) => {
      if (!tracked.cache) return [];
      return [inside === undefined ? tracked.path : joinPath(tracked.path, inside)];
    });
    return [...now, ...then];
  } catch (error) {
    const isUnknown = error instanceof FailureError && error.failure.code === 'usage';
    if (isUnknown && (then.length > 0 || (untracked && isThere(project, target)))) return then;
    throw error;
  }
}

function pathsThen(project: OpenProject, target: string, head: DataSide | undefined): ProjectPath[] {
  const at = pathOf(project, target);
  if (at === undefined || head === undefined) return [];
  return [...head.roots.keys()].flatMap((root) => {
    if (isWithin(at, root)) return [root];
    return isWithin(root, at) ? [at] : [];
  });
}

function isThere(project: OpenProject, target: string): boolean {
  const at = pathOf(project, target);
  return at !== undefined && fs.existsSync(absolutePath(project.root, at));
}

/** A target as a path; undefined where it can be none of the project's. */
function pathOf(project: OpenProject, target: string): ProjectPath | undefined {
  return toProjectPath(project.root, path.join(project.root, project.cwd), target);
}

function untrackedIn(project: OpenProject, targets: readonly string[]): ProjectPath[] {
  const within = targets.flatMap((target) => pathOf(project, target) ?? []);
  return untrackedByGit(project.root).filter(
    (file) => targets.length === 0 || within.some((one) => isWithin(one, file)),
  );
}

function touches(within: readonly ProjectPath[] | undefined, at: ProjectPath): boolean {
  return within === undefined || within.some((one) => isWithin(one, at) || isWithin(at, one));
}

function isUnchanged(status: DataStatus): boolean {
  return Object.keys(dataStatusJson(status)).length === 0;
}
