import { basename, dirname } from 'node:path';
import { type ProjectPath, parentPath } from '@dag/model';
import type { Context } from '../context.ts';
import type { Pool } from '../threads/pool.ts';
import { type Job, type JobResult, type ScanResult, UNKNOWN } from '../threads/protocol.ts';
import type { WorkOptions } from '../types.ts';
import { type FileFacts, innerFirst, type Standing } from './node.ts';

/** More files than this to be read, or more bytes, are worth worker threads (bytes: some 10 ms of hashing). */
const MANY_FILES = 1500;
const MANY_BYTES = 32 * 1024 * 1024;
/** More files than this are worth worker threads even when the stat cache knows them all. */
const VERY_MANY_FILES = 200_000;
/** Files and bytes up to which reading takes less time than opening the stat cache. */
const FEW_FILES = 64;
const FEW_BYTES = 1024 * 1024;
/** Files of one job, at most. */
const CHUNK = 512;

type ScanJob = Extract<Job, { readonly kind: 'scan' }>;

/** Some of a list's files, by index. */
interface Part {
  readonly list: FileList;
  readonly indices: readonly number[];
}

/**
 * Fills in the facts of all files that stand at some paths; with `store`, their content is staged in the threads that read
 * it. A first pass asks the stat cache, here; what it doesn't know is read, in worker threads when that is much. Very
 * little is read without asking.
 * @returns the pool that did the reading.
 */
export async function scan(
  context: Context,
  op: number,
  standing: readonly (readonly [ProjectPath, Standing])[],
  store: boolean,
  options: WorkOptions = {},
): Promise<Pool> {
  const lists = standing.flatMap(([path, one]) => fileLists(path, one));
  const totalFiles = lists.reduce((sum, list) => sum + list.names.length, 0);
  const progress = { phase: 'hash' as const, files: 0, bytes: 0, totalFiles };
  const unknown: Part[] = [];
  let unknownFiles = 0;
  let unknownBytes = 0;
  let statCache = store || totalFiles > FEW_FILES;
  const work = async (pool: Pool, parts: readonly Part[], peek: boolean): Promise<void> => {
    const jobs = new Map(parts.map((part) => [jobOf(part, { op, store, peek, statCache }) as Job, part]));
    const take = (result: JobResult, job: Job): void => {
      const part = jobs.get(job);
      if (part === undefined || result.kind !== 'scan') throw new Error('a scan gave something else');
      const left = fill(part, result);
      if (left.length > 0) unknown.push({ list: part.list, indices: left });
      unknownFiles += left.length;
      for (const i of left) unknownBytes += part.list.facts.sizes[part.list.at + i] ?? 0;
      progress.files += part.indices.length - left.length;
      progress.bytes += result.sizes.reduce((sum, size) => sum + size, 0);
      options.onProgress?.(progress);
    };
    await pool.run([...jobs.keys()], take, options.signal);
  };
  let all = lists.flatMap((list) => cut({ list, indices: [...list.names.keys()] }, CHUNK));
  let peeked = 0;
  if (!statCache) {
    await work(context.local, all, true);
    all = unknown.splice(0);
    statCache = unknownBytes > FEW_BYTES;
    if (statCache) unknownFiles = unknownBytes = 0;
    else unknown.push(...all.splice(0));
  }
  while (peeked < all.length && unknownFiles <= MANY_FILES && totalFiles <= VERY_MANY_FILES) {
    const from = peeked;
    for (let files = 0; peeked < all.length && files < 2 * CHUNK; peeked++) files += all[peeked]?.indices.length ?? 0;
    await work(context.local, all.slice(from, peeked), true);
  }
  const rest = all.slice(peeked);
  const many = rest.length > 0 || unknownFiles > MANY_FILES || unknownBytes > MANY_BYTES;
  const pool = (many ? context.threads() : undefined) ?? context.local;
  const size = Math.max(1, Math.min(CHUNK, Math.ceil(unknownFiles / 32)));
  const parts = [...rest, ...unknown.splice(0).flatMap((part) => cut(part, rest.length > 0 ? CHUNK : size))];
  if (parts.length > 0) await work(pool, parts, false);
  return pool;
}

function jobOf({ list, indices }: Part, how: Pick<ScanJob, 'op' | 'store' | 'peek' | 'statCache'>): ScanJob {
  const { folder, shown, follow } = list;
  return { kind: 'scan', folder, shown, names: indices.map((i) => list.names[i] as string), follow, ...how };
}

function cut({ list, indices }: Part, size: number): Part[] {
  const parts: Part[] = [];
  for (let from = 0; from < indices.length; from += size)
    parts.push({ list, indices: indices.slice(from, from + size) });
  return parts;
}

/** @returns the indices of files whose digest the result does not tell. */
function fill({ list, indices }: Part, result: ScanResult): number[] {
  const { facts } = list;
  const unknown: number[] = [];
  for (const [i, index] of indices.entries()) {
    const at = list.at + index;
    const hex = result.digests.slice(i * 64, i * 64 + 64);
    if (hex === UNKNOWN) unknown.push(index);
    facts.digests.set(at, hex);
    facts.sizes[at] = result.sizes[i] as number;
    facts.executable[at] = result.executable[i] === true;
    facts.mtimes[at] = result.mtimes[i] as number;
  }
  return unknown;
}

interface FileList {
  readonly facts: FileFacts;
  readonly at: number;
  readonly folder: string;
  readonly shown: string;
  readonly names: readonly string[];
  readonly follow: boolean;
}

function fileLists(path: ProjectPath, standing: Standing): FileList[] {
  if (standing.kind === 'absent') return [];
  if (standing.kind === 'file') {
    const { abs, facts, isLink } = standing;
    const shown = parentPath(path);
    return [{ facts, at: 0, folder: dirname(abs), shown, names: [basename(abs)], follow: isLink }];
  }
  return innerFirst(standing.node).flatMap(({ facts, abs, path: shown, files, followed }) => [
    { facts, at: 0, folder: abs, shown, names: files, follow: false },
    { facts, at: files.length, folder: abs, shown, names: followed, follow: true },
  ]);
}
