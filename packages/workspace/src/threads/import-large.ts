import { type BigIntStats, chmodSync, constants, copyFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Digest } from '@dag/model';
import { hashFile, hashOpenFile, LargeFile, OBJECT_MODE, removeFile, type Staging, tempName, withIo } from '@dag/store';
import type { LinkStrategy } from '../types.ts';
import { canFallThrough, type Strategies } from './link.ts';

/**
 * Stages a large file by the first strategy that works: a reflink is cloned and then hashed, so that no edit can come
 * between; for links the file itself is to become the object, once all is hashed; else it is hashed while it is copied.
 * @returns the digest of what was staged. The caller checks that the file did not change meanwhile.
 */
export function importLarge(
  path: string,
  fd: number,
  stats: BigIntStats,
  staging: Staging,
  options: {
    readonly tmp: string;
    readonly link: readonly LinkStrategy[];
    /** Those of `link` that are worth trying. */
    readonly strategies: Strategies;
    readonly follow: boolean;
    /** Device of the cache: links can't lead to another. */
    readonly cacheDevice: bigint;
    /** Hears of a copy that a reflink or link would have spared. */
    readonly onCopy: (bytes: number) => void;
  },
): {
  readonly digest: Digest /** Whether the file is still to become the object, by a link. */;
  readonly toLink: boolean;
} {
  const newTemp = (): string => join(options.tmp, tempName('object'));
  for (const strategy of options.strategies.usable) {
    if (strategy === 'copy') break;
    if (strategy === 'reflink') {
      const temp = newTemp();
      if (!tryClone(path, temp, options.strategies)) continue;
      const { digest } = hashFile(temp);
      staging.putTemp(temp, digest);
      return { digest, toLink: false };
    }
    const executable = (stats.mode & 0o111n) !== 0n;
    if (options.follow || executable || stats.nlink !== 1n || stats.dev !== options.cacheDevice) continue;
    const { digest } = hashOpenFile(fd, undefined, Number(stats.size));
    return { digest, toLink: !staging.has(digest) };
  }
  if (options.link[0] !== 'copy') options.onCopy(Number(stats.size));
  return { digest: copyAndHash(fd, stats, newTemp(), staging), toLink: false };
}

function tryClone(from: string, to: string, strategies: Strategies): boolean {
  try {
    copyFileSync(from, to, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
    chmodSync(to, OBJECT_MODE);
    return true;
  } catch (error) {
    removeFile(to);
    strategies.failed('reflink', error);
    if (canFallThrough(error)) return false;
    throw error;
  }
}

/** An error of the reading comes as it is: the caller knows the file. */
function copyAndHash(fd: number, { size }: BigIntStats, temp: string, staging: Staging): Digest {
  const writing = <T>(work: () => T): T => withIo('write into the cache', temp, work);
  const out = writing(() => new LargeFile(temp));
  try {
    const { digest } = hashOpenFile(fd, (bytes) => writing(() => out.write(bytes)), Number(size));
    staging.putLarge(out, digest);
    return digest;
  } catch (error) {
    out.discard();
    throw error;
  }
}
