import {
  type BigIntStats,
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fstatSync,
  futimesSync,
  linkSync,
  lstatSync,
  openSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import type { Digest } from '@dag/model';
import {
  hashOpenFile,
  isErrno,
  layoutOf,
  loosePath,
  OBJECT_MODE,
  ObjectDamaged,
  ObjectMissing,
  removeFile,
  SMALL_LIMIT,
  type StatCache,
  type Store,
  settledTime,
} from '@dag/store';
import type { LinkStrategy } from '../types.ts';
import { isWhole } from './heal.ts';
import { canFallThrough, type Strategies } from './link.ts';

/** A file that was placed: its stats where the record of them is worth keeping, and how it came. */
export interface Placed {
  /** undefined for a symlink. */
  readonly stats: BigIntStats | undefined;
  readonly strategy: LinkStrategy;
  readonly bytes: number;
}

/**
 * Puts one object's content at a path where nothing stands, verified against the digest on the way. Throws ObjectMissing or
 * ObjectDamaged; nothing is left at the path then. What is no link to the object gets an mtime that no later change leaves.
 * @param to absolute. @param size what the listing says; another size is damage.
 */
export function placeFile(
  to: string,
  digest: Digest,
  size: number,
  executable: boolean,
  context: { readonly store: Store; readonly statCache: StatCache; readonly strategies: Strategies },
): Placed {
  const file = loosePath(layoutOf(context.store.dir), digest);
  // Another thread may find it damaged, or a gc take it, once it was located; then it may be in a pack.
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      return place(to, digest, size, executable, context);
    } catch (error) {
      if (!isErrno(error, 'ENOENT') || (error as NodeJS.ErrnoException).path !== file) throw error;
    }
  }
  throw new ObjectMissing(digest);
}

function place(
  to: string,
  digest: Digest,
  size: number,
  executable: boolean,
  context: { readonly store: Store; readonly statCache: StatCache; readonly strategies: Strategies },
): Placed {
  const { store } = context;
  const found = store.locate(digest);
  if (found === undefined) throw new ObjectMissing(digest);
  if (found.size !== size) return damaged(store, digest, `it has ${found.size} bytes, and should have ${size}`);
  if (found.kind === 'packed' || size <= SMALL_LIMIT) {
    return { stats: writeBytes(to, store.read(digest), executable), strategy: 'copy', bytes: size };
  }
  for (const strategy of context.strategies.usable) {
    if (strategy === 'copy') break;
    if (executable && strategy !== 'reflink') continue;
    const stats = tryLink(strategy, found.file, to, digest, executable, context);
    if (stats !== false) return { stats, strategy, bytes: size };
  }
  return { stats: copyVerified(store, found.file, to, digest, executable), strategy: 'copy', bytes: size };
}

/** An object that is whole but not what a listing claims stays where it is; one with bad bytes goes to quarantine. */
function damaged(store: Store, digest: Digest, problem: string): never {
  const state = store.check(digest);
  if (state === 'missing') throw new ObjectMissing(digest);
  throw new ObjectDamaged(digest, problem, undefined);
}

function tryLink(
  strategy: LinkStrategy,
  from: string,
  to: string,
  digest: Digest,
  executable: boolean,
  context: { readonly store: Store; readonly statCache: StatCache; readonly strategies: Strategies },
): BigIntStats | undefined | false {
  if (strategy !== 'reflink') verifyObject(from, digest, context);
  try {
    if (strategy === 'reflink') {
      copyFileSync(from, to, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
      chmodSync(to, newFileMode(executable));
      utimesSync(to, settledTime(), settledTime());
    } else if (strategy === 'hardlink') {
      linkSync(from, to);
      if ((statSync(to).mode & 0o222) !== 0) chmodSync(to, OBJECT_MODE);
    } else {
      symlinkSync(from, to);
    }
    // Only then, since it takes long where a reflink may not be had, and nobody sees it yet. (A hard link changes the object's ctime.)
    if (strategy === 'reflink') verifyObject(from, digest, context);
    return strategy === 'symlink' ? undefined : lstatSync(to, { bigint: true });
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) removeFile(to);
    context.strategies.failed(strategy, error);
    if (canFallThrough(error)) return false;
    throw error;
  }
}

function verifyObject(
  file: string,
  digest: Digest,
  context: { readonly store: Store; readonly statCache: StatCache },
): void {
  if (isWhole(file, digest, context.statCache)) return;
  throw new ObjectDamaged(digest, 'its content has another digest', context.store.quarantine(digest));
}

function writeBytes(to: string, bytes: Uint8Array, executable: boolean): BigIntStats {
  const fd = openSync(to, 'wx', executable ? 0o777 : 0o666);
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
    futimesSync(fd, settledTime(), settledTime());
    return fstatSync(fd, { bigint: true });
  } catch (error) {
    removeFile(to);
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** Hashes while it copies; the copy of a damaged object does not stay. */
function copyVerified(store: Store, from: string, to: string, digest: Digest, executable: boolean): BigIntStats {
  const input = openSync(from, 'r');
  try {
    const output = openSync(to, 'wx', executable ? 0o777 : 0o666);
    try {
      const read = hashOpenFile(input, (bytes) => {
        for (let done = 0; done < bytes.length; ) done += writeSync(output, bytes, done);
      });
      if (read.digest !== digest) {
        throw new ObjectDamaged(digest, 'its content has another digest', store.quarantine(digest));
      }
      futimesSync(output, settledTime(), settledTime());
      return fstatSync(output, { bigint: true });
    } catch (error) {
      removeFile(to);
      throw error;
    } finally {
      closeSync(output);
    }
  } finally {
    closeSync(input);
  }
}

/** The mode that a new file gets here: read and write for all, less what the umask takes. */
export function newFileMode(executable: boolean): number {
  umask ??= process.umask();
  return (executable ? 0o777 : 0o666) & ~umask;
}
let umask: number | undefined;
