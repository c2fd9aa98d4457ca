import type { AnyPath } from '@dag/model';
import { openStatCache, SMALL_LIMIT, type StoreBatch } from '@dag/store';
import type { Context } from '../context.ts';
import type { Pool } from '../threads/pool.ts';
import type { Job, JobResult } from '../threads/protocol.ts';
import { WorkList } from '../threads/work-list.ts';
import type { WorkOptions } from '../types.ts';
import { ask, COMPARE_MANY, MANY_FILES, type Part } from './ask.ts';
import { fileLists, recordFile } from './file-list.ts';
import type { KnownTrees } from './known-trees.ts';
import type { FolderNode, Standing } from './node.ts';
import type { WalkRules } from './walk.ts';

/** More bytes than this to be read are worth worker threads (some 10 ms of hashing). */
const MANY_BYTES = 32 * 1024 * 1024;
/** Files and bytes up to which reading takes less time than opening the stat cache; and than asking it, once it is open. */
const FEW = { files: 64, bytes: 1024 * 1024 };
const VERY_FEW = { files: 4, bytes: SMALL_LIMIT };
/** Bytes up to which a folder may well hold few files (ext4 has no smaller ones). */
const SMALL_FOLDER = 4096n;
/** Files of one job, at most. */
const CHUNK = 512;
/**
 * For a walk: what is known of a large folder is asked for at once, so that it need not be listed, or its names can go; and a
 * thread is started early where it will be needed.
 */
export function recallLarge(context: Pick<Context, 'statCache' | 'threads'>): Pick<WalkRules, 'recall' | 'onFolder'> {
  const { statCache } = context;
  let files = 0;
  const recall: WalkRules['recall'] = (folder) =>
    statCache.isOpen || folder.size > SMALL_FOLDER ? statCache.recall(folder) : undefined;
  const onFolder = (node: FolderNode): void => {
    if (node.fileCount <= FEW.files) return;
    if (node.record === undefined) node.recalled(statCache.recall(node.id));
    const before = files;
    files += node.fileCount;
    if (before <= COMPARE_MANY && files > COMPARE_MANY) context.threads()?.prepare();
  };
  return { recall, onFolder };
}

/**
 * Fills in the facts of all files that stand at some paths; with a batch, content that the cache has not is staged in the
 * threads that read it. First the stat cache is asked; what it doesn't know is read. Worker threads help where that is much.
 * Very little is read without asking.
 * @returns the pool that did the reading, and files that are to become objects by links.
 */
export async function scan(
  context: Context,
  work: {
    readonly op: number;
    readonly standing: readonly (readonly [AnyPath, Standing])[];
    readonly batch?: StoreBatch;
    readonly known?: KnownTrees;
  },
  options: WorkOptions = {},
): Promise<{ readonly pool: Pool; readonly toLink: readonly Part[] }> {
  const { op, standing, batch, known } = work;
  const lists = standing.flatMap(([path, one]) => fileLists(path, one));
  const totalFiles = lists.reduce((sum, list) => sum + list.count, 0);
  const progress = { phase: 'hash' as const, files: 0, bytes: 0, totalFiles };
  const question = {
    context,
    lists,
    batch,
    known,
    signal: options.signal,
    progress,
    tell: () => options.onProgress?.(progress),
  };
  const opens = batch === undefined && !context.statCache.isOpen;
  const little = opens ? FEW : VERY_FEW;
  // What a folder holds the stat cache tells in one answer.
  const isLittle = totalFiles <= little.files && (opens || standing.every(([, { kind }]) => kind !== 'folder'));
  let unread = isLittle ? await ask(question, NO_STAT_CACHE) : undefined;
  const isAsked = unread === undefined || unread.bytes > little.bytes;
  if (unread === undefined || isAsked) unread = await ask(question, context.statCache);
  const { files, bytes } = unread;
  const pool = (files > MANY_FILES || bytes > MANY_BYTES ? context.threads() : undefined) ?? context.local;
  const size = Math.max(1, Math.min(CHUNK, Math.ceil(files / 32)));
  const about = { kind: 'scan', op, store: batch !== undefined } as const;
  // Of no more files than this each was asked for; threads that need not ask have no stat cache to open.
  const isEachAsked = isAsked && files <= MANY_FILES;
  const parts = unread.parts.flatMap((part) => cut(part, size));
  const jobs = new WorkList(parts, ({ list, indices }) => {
    const { folder, shown, follow, names } = list;
    const together = list.node !== undefined;
    const statCache = isAsked && !(isEachAsked && together);
    return { ...about, folder, shown, follow, together, statCache, names: indices.map((i) => names[i] as string) };
  });
  const toLink: Part[] = [];
  const take = (result: JobResult, job: Job): void => {
    if (result.kind !== 'scan') throw new Error('a scan gave something else');
    const { list, indices } = jobs.done(job);
    const { at } = list;
    const { facts } = list.holder;
    for (let i = 0; i < indices.length; ) {
      const run = runAt(indices, i);
      facts.copy(at + (indices[i] as number), result, i, run);
      i += run;
    }
    for (const i of indices) progress.bytes += facts.size(at + i);
    if (isEachAsked) for (const i of indices) recordFile(context.statCache, list, i);
    progress.files += indices.length;
    if (result.toLink.length > 0) toLink.push({ list, indices: result.toLink.map((i) => indices[i] as number) });
    if (result.copiedBytes > 0) options.onCopied?.(result.copiedBytes);
    options.onProgress?.(progress);
  };
  if (jobs.length > 0) await pool.run(jobs, take, options.signal);
  return { pool, toLink };
}

const NO_STAT_CACHE = openStatCache(undefined);

function cut({ list, indices }: Part, size: number): Part[] {
  const parts: Part[] = [];
  for (let from = 0; from < indices.length; from += size)
    parts.push({ list, indices: indices.slice(from, from + size) });
  return parts;
}

/** How many indices in a row follow each other. */
function runAt(indices: readonly number[], from: number): number {
  let run = 1;
  while (indices[from + run] === (indices[from] as number) + run) run++;
  return run;
}
