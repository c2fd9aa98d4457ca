import {
  constants,
  copyFileSync,
  linkSync,
  lstatSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Digest } from '@dag/model';
import { ioFailure, isPast, layoutOf, loosePath, removeFile, type StatCache, type Store, tempName } from '@dag/store';
import { isWhole, storeAnew } from './heal.ts';
import { canFallThrough } from './link.ts';
import type { Job, Mended, ThreadSetup } from './protocol.ts';
import { readVerified } from './read-file.ts';

type ProtectJob = Extract<Job, { readonly kind: 'protect' }>;

/**
 * Makes committed files links to their objects, where the strategy is one of links. A file that changed since the commit
 * began keeps its content and is left alone; one whose object is damaged is stored anew first.
 * @returns the names left alone, and what was stored anew.
 */
export function protectFiles(
  job: ProtectJob,
  setup: ThreadSetup,
  { store, statCache }: { readonly store: Store; readonly statCache: StatCache },
): { readonly skipped: string[]; readonly mended: Mended[] } {
  const layout = layoutOf(setup.storeDir);
  const skipped: string[] = [];
  const mended: Mended[] = [];
  let reflinks: boolean | undefined;
  for (const [i, name] of job.names.entries()) {
    const digest = `blake3:${job.digests.slice(i * 64, i * 64 + 64)}` as Digest;
    const object = loosePath(layout, digest);
    const path = `${job.folder}/${name}`;
    try {
      const target = statSync(object, { bigint: true, throwIfNoEntry: false });
      const strategy = setup.link.find((one) => one !== 'reflink');
      if (target === undefined || strategy === undefined || strategy === 'copy') continue;
      if (setup.link[0] === 'reflink') {
        reflinks ??= canReflink(object, job.temp);
        if (reflinks) return { skipped, mended };
      }
      const stats = lstatSync(path, { bigint: true });
      const isSame = stats.ino === target.ino && stats.dev === target.dev;
      if (strategy === 'hardlink' && isSame) {
        if (isPast(stats, job.since)) statCache.record(stats, digest);
        continue;
      }
      if (strategy === 'symlink' && stats.isSymbolicLink() && readlinkSync(path) === object) continue;
      if (!isSame) {
        const found = readVerified(path, path, { follow: true, statCache, trust: () => true }).digest;
        if (found !== digest) {
          skipped.push(name);
          continue;
        }
        // The file that a link replaces may be the only whole copy.
        if (!isWhole(object, digest, statCache)) {
          mended.push({ path, quarantined: store.quarantine(digest) });
          storeAnew(store, path, digest);
        }
      }
      replaceByLink(object, path, job.temp, setup.link);
    } catch (error) {
      throw ioFailure(error, 'link', path);
    }
  }
  statCache.flush();
  return { skipped, mended };
}

/** Whether a reflink, where that is preferred to links, is to be had: then the file shares its bytes with the object already. */
function canReflink(object: string, tmp: string): boolean {
  const temp = join(tmp, tempName('probe'));
  try {
    copyFileSync(object, temp, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    if (canFallThrough(error)) return false;
    throw error;
  } finally {
    removeFile(temp);
  }
}

/** Links under a temp name and renames, by the first strategy of links that works here; none: the file stays as it is. */
function replaceByLink(object: string, path: string, tmp: string, link: ThreadSetup['link']): void {
  const temp = join(tmp, tempName('link'));
  for (const strategy of link) {
    if (strategy === 'copy') return;
    if (strategy === 'reflink') continue;
    try {
      if (strategy === 'hardlink') linkSync(object, temp);
      else symlinkSync(object, temp);
      renameSync(temp, path);
      if (strategy === 'hardlink' && lstatSync(temp, { throwIfNoEntry: false }) !== undefined) unlinkSync(temp);
      return;
    } catch (error) {
      removeFile(temp);
      if (!canFallThrough(error)) throw error;
    }
  }
}
