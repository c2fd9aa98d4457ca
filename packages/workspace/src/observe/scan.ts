import { lstatSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { type Digest, type ProjectPath, parentPath } from '@dag/model';
import type { Context } from '../context.ts';
import type { Pool } from '../threads/pool.ts';
import type { Job, ScanResult } from '../threads/protocol.ts';
import type { WorkOptions } from '../types.ts';
import { type FileFacts, innerFirst, type Standing } from './node.ts';

/** More files than this, or more bytes in few files, are worth worker threads (bytes: some 10 ms of hashing). */
const MANY_FILES = 3000;
const MANY_BYTES = 32 * 1024 * 1024;
/** Files of one job, at most. */
const CHUNK = 512;

type ScanJob = Extract<Job, { readonly kind: 'scan' }>;

interface Part {
  readonly facts: FileFacts;
  readonly from: number;
  readonly job: ScanJob;
}

/** Fills in the facts of all files that stand at some paths; with `store`, their content is staged in the pool returned. */
export async function scan(
  context: Context,
  op: number,
  standing: readonly (readonly [ProjectPath, Standing])[],
  store: boolean,
  options: WorkOptions = {},
): Promise<Pool> {
  const lists = standing.flatMap(([path, one]) => fileLists(path, one));
  const total = lists.reduce((sum, list) => sum + list.names.length, 0);
  const threads = isLarge(lists, total) ? context.threads() : undefined;
  const pool = threads ?? context.local;
  const chunk = Math.max(1, Math.min(CHUNK, Math.ceil(total / 32)));
  const parts = new Map<Job, Part>();
  for (const { facts, at, folder, shown, names, follow } of lists) {
    for (let from = 0; from < names.length; from += chunk) {
      const job: ScanJob = { kind: 'scan', op, folder, shown, names: names.slice(from, from + chunk), follow, store };
      parts.set(job, { facts, from: at + from, job });
    }
  }
  let files = 0;
  let bytes = 0;
  await pool.run(
    [...parts.keys()],
    (result, job) => {
      const part = parts.get(job);
      if (part === undefined || result.kind !== 'scan') throw new Error('a scan gave something else');
      fill(part, result);
      files += result.sizes.length;
      for (const size of result.sizes) bytes += size;
      options.onProgress?.({ phase: 'hash', files, bytes, totalFiles: total });
    },
    options.signal,
  );
  return pool;
}

function fill(part: Part, result: ScanResult): void {
  for (let i = 0; i < result.sizes.length; i++) {
    const at = part.from + i;
    part.facts.digests[at] = `blake3:${result.digests.slice(i * 64, i * 64 + 64)}` as Digest;
    part.facts.sizes[at] = result.sizes[i] as number;
    part.facts.executable[at] = result.executable[i] === true;
    part.facts.mtimes[at] = result.mtimes[i] as number;
  }
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

function isLarge(lists: readonly FileList[], total: number): boolean {
  if (total > MANY_FILES) return true;
  let bytes = 0;
  for (const { folder, names, follow } of lists) {
    for (const name of names) {
      const path = `${folder}/${name}`;
      bytes += (follow ? statSync : lstatSync)(path, { throwIfNoEntry: false })?.size ?? 0;
      if (bytes > MANY_BYTES) return true;
    }
  }
  return false;
}
