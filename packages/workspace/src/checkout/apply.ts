import { chmodSync, lstatSync, mkdirSync, renameSync, rmdirSync, rmSync, symlinkSync, unlinkSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { ioFailure, isErrno, removeFile, tempName, withIo } from '@dag/store';
import type { Context } from '../context.ts';
import { dropAll } from '../observe/commit.ts';
import { newFileMode } from '../threads/place-file.ts';
import type { Job } from '../threads/protocol.ts';
import { WorkList } from '../threads/work-list.ts';
import type { CheckoutOptions } from '../types.ts';
import { FolderNews } from './news.ts';
import { NO_DIGEST, type Placement, type Plan, type PlanFailure } from './plan.ts';

/** More files or bytes than this are worth worker threads. */
const MANY_FILES = 1000;
const MANY_BYTES = 32 * 1024 * 1024;
const CHUNK = 512;

export interface Applied {
  readonly failed: PlanFailure[];
  files: number;
  bytes: number;
  copiedBytes: number;
}

/**
 * Does what plans say, for all items together: new content first, under temp names; then what is in the way goes; then all
 * is renamed to where it belongs.
 */
export async function applyPlans(context: Context, plans: readonly Plan[], options: CheckoutOptions): Promise<Applied> {
  const applied: Applied = { failed: [], files: 0, bytes: 0, copiedBytes: 0 };
  const op = context.nextOp();
  const force = options.force === true;
  try {
    for (const plan of plans) for (const folder of plan.makeFolders) make(folder);
    const pool = await placeAll(context, op, plans, applied, options);
    options.signal?.throwIfAborted();
    await removeAll(plans, force, applied);
    for (const plan of plans) for (const link of plan.links) placeLink(context, link, applied);
    for (const plan of plans) for (const { folder, temp } of plan.placements) if (temp !== undefined) make(folder);
    for (const result of await pool.everywhere({ kind: 'settle', op })) {
      if (result.kind === 'done') for (const abs of result.skipped) applied.failed.push(changedMeanwhile(context, abs));
    }
    for (const plan of plans) for (const folder of plan.newFolders) moveIn(folder, plan, applied);
    for (const plan of plans) for (const { abs, executable } of plan.chmods) changeMode(abs, executable);
  } catch (error) {
    await dropAll(context, op);
    throw error;
  } finally {
    context.statCache.flush();
    for (const plan of plans) cleanUp(context, plan);
  }
  return applied;
}

async function placeAll(
  context: Context,
  op: number,
  plans: readonly Plan[],
  applied: Applied,
  options: CheckoutOptions,
): Promise<Context['local']> {
  const rounds: Portion[][] = [];
  let totalFiles = 0;
  let totalBytes = 0;
  for (const placement of plans.flatMap((plan) => plan.placements)) {
    const { sizes } = placement.files;
    totalFiles += sizes.length;
    for (const size of sizes) totalBytes += size;
    for (const [round, portion] of portions(placement).entries()) {
      rounds[round] ??= [];
      rounds[round].push(portion);
    }
  }
  // One part of each folder after the other: two threads that write into one folder wait for each other in the kernel.
  const parts = rounds.flat();
  const jobs = new WorkList(parts, (portion) => placeJob(portion, op, options.force === true));
  const news = new FolderNews(context.statCache);
  const large = totalFiles > MANY_FILES || totalBytes > MANY_BYTES;
  const pool = (large ? context.threads() : undefined) ?? context.local;
  await pool.run(
    jobs,
    (result, job) => {
      if (result.kind !== 'place') throw new Error('a placement gave something else');
      const { placement, from } = jobs.done(job);
      news.add(placement, from, result);
      applied.failed.push(...result.failed);
      applied.files += result.files;
      applied.bytes += result.bytes;
      applied.copiedBytes += result.copiedBytes;
      options.onProgress?.({ phase: 'place', files: applied.files, bytes: applied.bytes, totalFiles });
    },
    options.signal,
  );
  return pool;
}

/** Some files of a placement. `to`: after the last. */
interface Portion {
  readonly placement: Placement;
  readonly from: number;
  readonly to: number;
}

/** So many files, or bytes, at a time: a few large files are work for several threads too. */
function portions(placement: Placement): Portion[] {
  const { sizes } = placement.files;
  const all: Portion[] = [];
  let [from, bytes] = [0, 0];
  for (const [i, size] of sizes.entries()) {
    bytes += size;
    if (i + 1 < sizes.length && i + 1 - from < CHUNK && bytes < MANY_BYTES) continue;
    all.push({ placement, from, to: i + 1 });
    [from, bytes] = [i + 1, 0];
  }
  return all;
}

function placeJob({ placement, from, to }: Portion, op: number, force: boolean): Job {
  const { folder, path, temp, files } = placement;
  return {
    kind: 'place',
    op,
    folder,
    shown: path,
    names: files.names.slice(from, to),
    digests: files.digests.hexOf(from, to),
    sizes: files.sizes.slice(from, to),
    executable: files.executable.slice(from, to),
    temp,
    replaces: files.replaces.slice(from, to),
    force,
  };
}

/** Unlinks and removes; a file that changed since it was looked at stays. */
async function removeAll(plans: readonly Plan[], force: boolean, applied: Applied): Promise<void> {
  let last = performance.now();
  for (const plan of plans) {
    for (const { abs, path, mtime } of plan.removeFiles) {
      const stats = lstatSync(abs, { bigint: true, throwIfNoEntry: false });
      if (stats === undefined) continue;
      const isSame =
        mtime === undefined
          ? stats.isSymbolicLink()
          : !stats.isSymbolicLink() && Number(stats.mtimeNs / 1000n) === mtime;
      if (!force && !isSame) {
        applied.failed.push({ path, digest: NO_DIGEST, reason: 'someone changed it meanwhile', missing: false });
        continue;
      }
      withIo('remove', path, () => unlinkSync(abs));
      if (performance.now() - last < 10) continue;
      await new Promise((resolve) => setImmediate(resolve));
      last = performance.now();
    }
    for (const folder of plan.removeFolders) removeFolder(folder);
  }
}

function changedMeanwhile(context: Context, abs: string): PlanFailure {
  return {
    path: relative(context.root, abs),
    digest: NO_DIGEST,
    reason: 'someone changed it meanwhile',
    missing: false,
  };
}

function removeFolder(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    if (!isErrno(error, 'ENOTEMPTY', 'EEXIST', 'ENOENT')) throw ioFailure(error, 'remove', folder);
  }
}

function placeLink(context: Context, link: Plan['links'][number], applied: Applied): void {
  withIo('make the symlink', link.abs, () => {
    if (link.temp === undefined) {
      symlinkSync(link.target, link.abs);
      return;
    }
    // All that may go is gone by now.
    if (lstatSync(link.abs, { throwIfNoEntry: false }) !== undefined) {
      applied.failed.push(changedMeanwhile(context, link.abs));
      return;
    }
    const temp = join(link.temp, tempName('link'));
    symlinkSync(link.target, temp);
    try {
      make(dirname(link.abs));
      renameSync(temp, link.abs);
    } catch (error) {
      removeFile(temp);
      throw error;
    }
  });
}

function moveIn(folder: { readonly build: string; readonly final: string }, plan: Plan, applied: Applied): void {
  make(dirname(folder.final));
  try {
    renameSync(folder.build, folder.final);
  } catch (error) {
    if (!isErrno(error, 'ENOTEMPTY', 'EEXIST', 'ENOTDIR', 'EISDIR')) throw ioFailure(error, 'write', folder.final);
    const reason = 'something else stands there';
    applied.failed.push({ path: plan.path, digest: NO_DIGEST, reason, missing: false });
  }
}

function changeMode(abs: string, executable: boolean): void {
  withIo('change the mode of', abs, () => {
    const { mode } = lstatSync(abs);
    const readable = (mode & 0o444) >> 2;
    const wanted = executable ? mode | (readable & newFileMode(true)) : mode & ~0o111;
    chmodSync(abs, wanted & 0o7777);
  });
}

function make(folder: string): void {
  withIo('make the folder', folder, () => mkdirSync(folder, { recursive: true }));
}

/** What was not moved in, and hidden temp folders on other file systems. */
function cleanUp(context: Context, plan: Plan): void {
  for (const { build } of plan.newFolders) rmSync(build, { recursive: true, force: true });
  const tmp = context.tmp();
  const used = [...plan.newFolders.map(({ build }) => dirname(build)), ...plan.placements.map(({ temp }) => temp)];
  for (const folder of new Set([...used, ...plan.links.map(({ temp }) => temp)])) {
    if (folder === undefined || folder === tmp || !basename(folder).startsWith('.dag-')) continue;
    rmSync(folder, { recursive: true, force: true });
  }
}
