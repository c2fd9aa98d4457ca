import fs from 'node:fs';
import path from 'node:path';
import { type AnyPath, foldersAbove, type ProjectPath } from '@dag/model';
import type { CheckoutItem } from '@dag/workspace';
import type { Context } from '../verb.ts';
import { trackedByGit } from './git.ts';
import type { OpenProject } from './open.ts';
import { readRemembered } from './remembered.ts';
import type { CachedPath, Picked } from './tracked.ts';

// What stands in the workspace and is of another revision: a checkout takes it away. It is known to be `dag`'s since it was
// tracked when something was last put in place, and to be in the cache since the workspace deletes nothing else unforced.

/** What lies in something that is tracked goes with that; what holds something that is tracked stays, for what is beside it. */
export function noLongerTracked(project: OpenProject, items: readonly CheckoutItem[]): CheckoutItem[] {
  const known = new Set<AnyPath>([
    ...items.map((item) => item.path),
    ...project.pipeline.data.map((data) => data.path),
    ...[...project.pipeline.stages.values()].flatMap((stage) => stage.outs.map((out) => out.path)),
  ]);
  const holders = new Set([...known].flatMap((path) => [...foldersAbove(path)]));
  const gone = readRemembered(project.root).paths.filter(
    (path) => !known.has(path) && !holders.has(path) && ![...foldersAbove(path)].some((folder) => known.has(folder)),
  );
  const inGit = trackedByGit(project.root, gone);
  return gone.filter((path) => !inGit.has(path)).map((path) => ({ path, artifact: undefined }));
}

/**
 * Outs that the lock does not know, left by a revision that did. Whatever else the lock does not know stays: a stage's out
 * may have been made by hand, and of tracked data it may be the only copy that has a name.
 */
export function leftOver(context: Context, project: OpenProject, picked: readonly Picked[]): CheckoutItem[] {
  const outs = new Set(readRemembered(project.root).outs);
  const ours: ProjectPath[] = [];
  const others: ProjectPath[] = [];
  for (const { tracked, inside } of picked) {
    if (!tracked.cache || tracked.artifact !== undefined || !stands(project, tracked)) continue;
    const isOurs = tracked.kind === 'out' && inside === undefined && outs.has(tracked.path);
    (isOurs ? ours : others).push(tracked.path);
  }
  const inGit = trackedByGit(project.root, ours);
  const gone = ours.filter((path) => !inGit.has(path));
  for (const path of [...others, ...inGit]) {
    context.say(`'${path}' was left as it is: pipeline.lock has no entry for it`);
  }
  return gone.map((path) => ({ path, artifact: undefined }));
}

function stands(project: OpenProject, { path: at }: CachedPath): boolean {
  return fs.lstatSync(path.join(project.root, at), { throwIfNoEntry: false }) !== undefined;
}
