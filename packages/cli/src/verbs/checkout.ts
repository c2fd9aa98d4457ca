import fs from 'node:fs';
import path from 'node:path';
import { type AnyPath, isWithin, joinPath, type ObjectFailure, type ProjectPath } from '@dag/model';
import { artifactInside } from '@dag/store';
import type { CheckoutItem, CheckoutReport } from '@dag/workspace';
import { EXIT, failureText } from '../failure.ts';
import { leftOver, noLongerTracked } from '../project/left-over.ts';
import { type OpenProject, openProject } from '../project/open.ts';
import { rememberPlacing, rememberTracked } from '../project/remembered.ts';
import { objectsFailure, type Picked, type PickOptions, pickTracked } from '../project/tracked.ts';
import { waiting } from '../project/waiting.ts';
import { sayCopied } from '../render/copied.ts';
import { workProgress } from '../render/progress.ts';
import type { Context } from '../verb.ts';

export interface CheckoutFlags extends PickOptions {
  readonly force?: boolean;
  readonly relink?: boolean;
  readonly allowMissing?: boolean;
  readonly summary?: boolean;
}

export async function checkout(context: Context, targets: readonly string[], flags: CheckoutFlags): Promise<number> {
  const project = await openProject(context, { targets, mutates: true });
  try {
    const report = await checkOut(context, project, targets, flags);
    showReport(context, report, flags);
    const status = exitOf(context, project, report);
    const { files, bytes, failed } = report;
    context.emit({ event: 'summary', objects: files, bytes, failed, ...changes(report) });
    return status;
  } finally {
    await project.close();
  }
}

/** Puts what the locks name at the targets into the workspace, and takes away what is tracked no longer. */
export async function checkOut(
  context: Context,
  project: OpenProject,
  targets: readonly string[],
  flags: CheckoutFlags,
): Promise<CheckoutReport> {
  const unreadable: ObjectFailure[] = [];
  const picked = pickTracked(project, targets, flags);
  const items = picked.flatMap((one) => itemOf(project, one, unreadable));
  const sweeps = targets.length === 0 && project.unreadable.length === 0;
  if (sweeps) items.push(...noLongerTracked(project, items));
  items.push(...leftOver(context, project, picked));
  const release = await project.workspace.acquire(
    { read: [], write: items.map((item) => item.path), purpose: 'dag checkout' },
    waiting(context),
  );
  try {
    const progress = workProgress(context, 'checking out');
    const report = await project.workspace.checkout(items, {
      force: flags.force ?? false,
      relink: flags.relink ?? false,
      allowMissing: flags.allowMissing ?? false,
      ...progress.options,
      signal: context.stop,
      beforePlacing: (paths) => notePlacing(project, paths),
    });
    progress.end();
    const failed = [...unreadable, ...report.failed];
    await remember(project, picked, { ...report, failed }, sweeps);
    return { ...report, failed };
  } finally {
    release();
  }
}

/** Notes what was put in place, and of which tracked folders only a part. */
async function remember(
  project: OpenProject,
  picked: readonly Picked[],
  report: CheckoutReport,
  swept: boolean,
): Promise<void> {
  const { agreed } = project.lastKnown();
  const lacking = [...report.failed, ...report.missing].map(({ path }) => path as ProjectPath);
  // Where nothing was placed, for want of a listing or because it was refused, what was here whole is all that it was.
  const isPart = ({ tracked, inside }: Picked): boolean =>
    inside !== undefined ||
    lacking.some((path) => path !== tracked.path && isWithin(tracked.path, path)) ||
    (!agreed.has(tracked.path as ProjectPath) &&
      [...lacking, ...report.refused].some((path) => isWithin(tracked.path, path)));
  const parts = picked.filter(isPart).map(({ tracked }) => tracked);
  const isTroubled = ({ path }: { readonly path: AnyPath }): boolean =>
    [...lacking, ...report.refused].some((one) => isWithin(path, one));
  await rememberTracked(project, {
    swept,
    parts: parts.filter((one) => one.cache).map((one) => one.path),
    settled: new Map(
      picked.flatMap(({ tracked, inside }) =>
        tracked.artifact === undefined || inside !== undefined || !tracked.cache || isTroubled(tracked)
          ? []
          : [[tracked.path, tracked.artifact]],
      ),
    ),
  });
}

async function notePlacing(project: OpenProject, paths: readonly ProjectPath[]): Promise<void> {
  const data = project.pipeline.data.map(({ path }) => path);
  const whole = data.filter((path) => paths.includes(path));
  const parts = data.filter((path) => !whole.includes(path) && paths.some((one) => isWithin(path, one)));
  if (whole.length > 0 || parts.length > 0) await rememberPlacing(project, whole, parts);
}

export function changes({ added, modified, deleted }: CheckoutReport) {
  return { added, modified, deleted };
}

/** One line a path, as git has it; only totals with `--summary`. */
export function showReport(context: Context, report: CheckoutReport, flags: CheckoutFlags): void {
  const { added, modified, deleted } = report;
  if (flags.summary === true) {
    const total = added.length + modified.length + deleted.length;
    if (total === 0) context.print('No changes.');
    else context.print(`${added.length} added, ${modified.length} modified, ${deleted.length} deleted.`);
  } else {
    for (const [letter, paths] of [
      ['A', added],
      ['M', modified],
      ['D', deleted],
    ] as const) {
      for (const path of paths) context.print(`${letter}  ${path}`);
    }
  }
  sayCopied(context, report.copiedBytes);
}

/** Shows what could not be done; the exit status. */
export function exitOf(context: Context, project: OpenProject, report: CheckoutReport): number {
  if (report.failed.length > 0 && !context.json) {
    const { failure } = objectsFailure(
      'checkout',
      report.failed,
      "get them with 'dag pull', or make them with 'dag repro'",
    );
    context.io.err(failureText(failure, context.io.colour.err));
  }
  for (const path of report.refused) {
    const what = isSymlink(project, path) ? 'is a symlink' : 'has content';
    const message = `'${path}' ${what} that is nowhere in the cache: it was left as it is, and with it all of the tracked path that it is in`;
    const hint = "keep it with 'dag commit' or 'dag add', or overwrite it with 'dag checkout -f'";
    if (context.json) context.emit({ event: 'error', code: 'refused', message, path, hint });
    else context.io.err(`error: ${message}\n  ${hint}\n`);
  }
  return report.failed.length > 0 || report.refused.length > 0 ? EXIT.unsuccessful : EXIT.done;
}

/** Not one into the cache: of those the content counts. */
function isSymlink({ root }: OpenProject, at: ProjectPath): boolean {
  const file = path.join(root, at);
  const stats = fs.lstatSync(file, { throwIfNoEntry: false });
  return stats?.isSymbolicLink() === true && !/\/objects\/[0-9a-f]{2}\/[0-9a-f]{62}$/.test(fs.readlinkSync(file));
}

function itemOf(project: OpenProject, { tracked, inside }: Picked, unreadable: ObjectFailure[]): CheckoutItem[] {
  const { path, artifact, cache } = tracked;
  if (!cache || artifact === undefined) return [];
  if (inside === undefined) return [{ path, artifact }];
  try {
    const part = artifactInside(project.store, artifact, inside);
    if (part !== undefined) return [{ path: joinPath(path, inside), artifact: part }];
    unreadable.push({ path: joinPath(path, inside), digest: artifact.digest, reason: `'${path}' holds no such path` });
  } catch (error) {
    unreadable.push({ path, digest: artifact.digest, reason: (error as Error).message });
  }
  return [];
}
