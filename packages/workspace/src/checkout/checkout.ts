import { join } from 'node:path';
import type { ObjectFailure, ProjectPath } from '@dag/model';
import type { Context } from '../context.ts';
import { type Going, keepGoing } from '../keep.ts';
import { look } from '../observe/observe.ts';
import type { CheckoutItem, CheckoutOptions, CheckoutReport } from '../types.ts';
import { applyPlans } from './apply.ts';
import { pathProblem } from './guard.ts';
import { alikeNames } from './names.ts';
import { NO_DIGEST, type Plan, type PlanFailure, planItem } from './plan.ts';

/** See `Workspace.checkout`: look, plan, leave out what would lose something, do. */
export async function checkout(
  context: Context,
  items: readonly CheckoutItem[],
  options: CheckoutOptions = {},
): Promise<CheckoutReport> {
  refuseOverlaps(items);
  const failed: PlanFailure[] = [];
  const alike = alikeNames(items.map(({ path }) => path));
  const allowed = items.filter(({ path, artifact }) => {
    const reason = pathProblem(context.root, path, context.skip) ?? nameProblem(context, path, alike.get(path));
    if (reason !== undefined) failed.push({ path, digest: artifact?.digest ?? NO_DIGEST, reason, missing: false });
    return reason === undefined;
  });
  const standing = await look(
    context,
    allowed.map(({ path }) => path),
    options,
  );
  const plans: Plan[] = [];
  const refused: ProjectPath[] = [];
  for (const [i, item] of allowed.entries()) {
    const found = standing[i];
    if (found === undefined) throw new Error('one look an item');
    const plan = planItem(context, item, found[1], options);
    failed.push(...plan.failed);
    if (plan.unsafe.length > 0 && options.force !== true) refused.push(...plan.unsafe);
    else if (isWork(plan)) plans.push(plan);
  }
  const isWanted = plans.length > 0 && options.dry !== true;
  if (isWanted) {
    await keepGoing(context, goingOf(plans), options);
    await options.beforePlacing?.(plans.map(({ path }) => path));
  }
  const applied = isWanted ? await applyPlans(context, plans, options) : NOTHING;
  return report([...failed, ...applied.failed], plans, refused, applied, options.allowMissing === true);
}

function goingOf(plans: readonly Plan[]): Going {
  return {
    files: plans.flatMap(({ going }) => going.files),
    folders: plans.flatMap(({ going }) => going.folders),
  };
}

/** Of two paths that are alike one may be the other, by another name. */
function nameProblem(context: Context, path: ProjectPath, other: string | undefined): string | undefined {
  const names = other?.split('/') ?? [];
  for (const [i, name] of path.split('/').entries()) {
    const before = names[i];
    const folder = join(context.root, ...names.slice(0, i));
    if (before !== undefined && before !== name && !context.isOneName(folder, before, name)) return undefined;
  }
  return other === undefined ? undefined : `this file system takes it for '${other}'`;
}

const NOTHING = { failed: [], files: 0, bytes: 0, copiedBytes: 0 };

function report(
  failures: readonly PlanFailure[],
  plans: readonly Plan[],
  refused: readonly ProjectPath[],
  applied: { readonly files: number; readonly bytes: number; readonly copiedBytes: number },
  allowMissing: boolean,
): CheckoutReport {
  const whole = new Set(failures.map(({ path }) => path));
  const done = plans.filter(({ path }) => !whole.has(path));
  const toFailure = ({ path, digest, reason }: PlanFailure): ObjectFailure => ({ path, digest, reason });
  return {
    added: done.filter((plan) => !plan.isDelete && plan.wasAbsent).map(({ path }) => path),
    modified: done.filter((plan) => !plan.isDelete && !plan.wasAbsent).map(({ path }) => path),
    deleted: done.filter((plan) => plan.isDelete).map(({ path }) => path),
    failed: failures.filter(({ missing }) => !(allowMissing && missing)).map(toFailure),
    missing: failures.filter(({ missing }) => allowMissing && missing).map(toFailure),
    refused,
    files: applied.files,
    bytes: applied.bytes,
    copiedBytes: applied.copiedBytes,
  };
}

function isWork(plan: Plan): boolean {
  const { newFolders, placements, links, chmods, removeFiles, removeFolders } = plan;
  return [newFolders, placements, links, chmods, removeFiles, removeFolders].some((list) => list.length > 0);
}

function refuseOverlaps(items: readonly CheckoutItem[]): void {
  const sorted = items.map(({ path }) => `${path}/`).sort();
  for (const [i, path] of sorted.entries()) {
    const before = sorted[i - 1];
    if (before !== undefined && path.startsWith(before)) throw new Error(`overlapping paths: ${before}, ${path}`);
  }
}
