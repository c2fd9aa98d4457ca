import { type BigIntStats, chmodSync, linkSync, lstatSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import type { Digest } from '@dag/model';
import {
  isErrno,
  isPast,
  layoutOf,
  loosePath,
  OBJECT_MODE,
  removeFile,
  STAT_COLUMNS,
  type Store,
  tempName,
  withIo,
} from '@dag/store';
import { FileFacts } from '../observe/facts.ts';
import { changedWhileStored, storeAnew } from './heal.ts';
import { canFallThrough } from './link.ts';
import type { Job, LinkResult, ThreadSetup } from './protocol.ts';

type LinkJob = Extract<Job, { readonly kind: 'link' }>;

/**
 * Makes files, whose content is hashed and on disk, objects: each gets the object's name as a second one, and is read-only.
 * A file that is not as it was when it was hashed is a failure. What can't be linked is copied.
 * @returns facts of those that are objects now, as they are.
 */
export function linkObjects(job: LinkJob, setup: ThreadSetup, store: Store): LinkResult {
  const layout = layoutOf(setup.storeDir);
  const facts = new FileFacts(job.names.length);
  let dev = 0n;
  const hashes = Buffer.from(job.hashes.buffer, job.hashes.byteOffset, job.hashes.byteLength);
  for (const [i, name] of job.names.entries()) {
    const digest = `blake3:${hashes.toString('hex', i * 32, (i + 1) * 32)}` as Digest;
    const path = `${job.folder}/${name}`;
    const shown = job.shown === '' ? name : `${job.shown}/${name}`;
    withIo('link', shown, () => {
      const before = lstatSync(path, { bigint: true });
      if (!isSame(before, job.stats, i)) throw changedWhileStored(shown);
      const object = loosePath(layout, digest);
      const linked = tryLink(path, before, object, layout.tmp);
      if (linked === undefined) {
        storeAnew(store, path, digest);
        return;
      }
      const after = lstatSync(linked, { bigint: true });
      if (after.ino !== before.ino || after.mtimeNs !== before.mtimeNs || after.size !== before.size) {
        // What took the name in the last moments: nobody checked it.
        removeFile(linked);
        throw changedWhileStored(shown);
      }
      if (linked !== object) takePlace(linked, object);
      dev = after.dev;
      facts.set(i, after, isPast(after, job.since));
    });
  }
  const { stats, flags } = facts;
  return { kind: 'link', dev, stats, flags };
}

/** Another link to the same file, made meanwhile, leaves another ctime. */
function isSame(now: BigIntStats, then: BigInt64Array, i: number): boolean {
  const [ino, size, mtime, ctime] = then.subarray(i * STAT_COLUMNS, (i + 1) * STAT_COLUMNS);
  const isUntouched = now.ino === ino && now.size === size && now.mtimeNs === mtime;
  return isUntouched && now.isFile() && (now.ctimeNs === ctime || now.nlink > 1n);
}

/**
 * Makes the file read-only and gives it the object's name, or a temp name where an object is there already.
 * @returns that name; undefined where links can't be made: then the file is as it was.
 */
function tryLink(path: string, { mode }: BigIntStats, object: string, tmp: string): string | undefined {
  const isOpen = (mode & 0o7777n) !== BigInt(OBJECT_MODE);
  try {
    if (isOpen) chmodSync(path, OBJECT_MODE);
    try {
      linkSync(path, object);
      return object;
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
    }
    const temp = join(tmp, tempName('object'));
    linkSync(path, temp);
    return temp;
  } catch (error) {
    if (!canFallThrough(error)) throw error;
    if (isOpen && (lstatSync(path).mode & 0o7777) === OBJECT_MODE) chmodSync(path, Number(mode & 0o7777n));
    return undefined;
  }
}

/** The object that is there gives way: nobody looked at its content. */
function takePlace(temp: string, object: string): void {
  try {
    renameSync(temp, object);
  } finally {
    // Where both were names of one file the rename has left both.
    removeFile(temp);
  }
}
