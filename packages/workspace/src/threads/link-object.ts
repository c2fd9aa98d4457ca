import { type BigIntStats, chmodSync, linkSync, lstatSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import type { Digest } from '@dag/model';
import {
  isErrno,
  isPast,
  type Layout,
  layoutOf,
  loosePath,
  OBJECT_MODE,
  removeFile,
  STAT_COLUMNS,
  type StatCache,
  type Store,
  tempName,
  withIo,
} from '@dag/store';
import { FileFacts } from '../observe/facts.ts';
import { changedWhileStored, storeAnew } from './heal.ts';
import { canFallThrough } from './link.ts';
import type { Job, LinkResult, ThreadSetup } from './protocol.ts';
import { WORTH_RECORD } from './read-file.ts';

type LinkJob = Extract<Job, { readonly kind: 'link' }>;

/**
 * Makes files, whose content is hashed and on disk, objects: each gets the object's name as a second one, and is read-only.
 * A file that is not as it was when it was hashed is a failure. What can't be linked is copied.
 * @returns facts of those that are objects now, as they are.
 */
export function linkObjects(
  job: LinkJob,
  setup: ThreadSetup,
  { store, statCache }: { readonly store: Store; readonly statCache: StatCache },
): LinkResult {
  const layout = layoutOf(setup.storeDir);
  const facts = new FileFacts(job.names.length);
  const hashes = Buffer.from(job.hashes.buffer, job.hashes.byteOffset, job.hashes.byteLength);
  for (const [i, name] of job.names.entries()) {
    const digest = `blake3:${hashes.toString('hex', i * 32, (i + 1) * 32)}` as Digest;
    const path = `${job.folder}/${name}`;
    const shown = job.shown === '' ? name : `${job.shown}/${name}`;
    withIo('link', shown, () => {
      const before = lstatSync(path, { bigint: true });
      if (!isSame(before, job.stats, i)) throw changedWhileStored(shown);
      if (!tryLink(path, before, layout, digest)) {
        storeAnew(store, path, digest);
        return;
      }
      const object = loosePath(layout, digest);
      const after = lstatSync(object, { bigint: true });
      if (after.ino !== before.ino || after.mtimeNs !== before.mtimeNs || after.size !== before.size) {
        // What took the name in the last moments: nobody checked it.
        removeFile(object);
        throw changedWhileStored(shown);
      }
      const isSettled = isPast(after, job.since);
      if (isSettled && !(job.together && after.size < WORTH_RECORD)) statCache.record(after, digest);
      facts.set(i, after, isSettled);
    });
  }
  const { stats, flags } = facts;
  return { kind: 'link', stats, flags };
}

/** Another link to the same file, made meanwhile, leaves another ctime. */
function isSame(now: BigIntStats, then: BigInt64Array, i: number): boolean {
  const [ino, size, mtime, ctime] = then.subarray(i * STAT_COLUMNS, (i + 1) * STAT_COLUMNS);
  const isUntouched = now.ino === ino && now.size === size && now.mtimeNs === mtime;
  return isUntouched && now.isFile() && (now.ctimeNs === ctime || now.nlink > 1n);
}

/** @returns false where links can't be made. An object that is there gives way: its content was not looked at. */
function tryLink(path: string, stats: BigIntStats, layout: Layout, digest: Digest): boolean {
  const object = loosePath(layout, digest);
  try {
    if ((stats.mode & 0o7777n) !== BigInt(OBJECT_MODE)) chmodSync(path, OBJECT_MODE);
    linkSync(path, object);
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return takePlace(path, object, layout.tmp);
    if (canFallThrough(error)) return false;
    throw error;
  }
}

function takePlace(path: string, object: string, tmp: string): boolean {
  const temp = join(tmp, tempName('object'));
  try {
    linkSync(path, temp);
    renameSync(temp, object);
    // A rename of one name of a file to another of the same leaves both.
    removeFile(temp);
    return true;
  } catch (error) {
    removeFile(temp);
    if (canFallThrough(error)) return false;
    throw error;
  }
}
