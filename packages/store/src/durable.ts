import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { isErrno } from './failure.ts';
import { ownerOf, ownerState, tempName } from './owner.ts';

/** Makes a folder and its parents; each new one is durable. */
export function makeFolder(path: string): void {
  for (const above of makeFolderSoon(path)) fsyncFolder(above);
}

/**
 * Makes a folder and its parents.
 * @returns the folders that the caller syncs, inner ones first, when what goes into the new one has its name: journalling
 * file systems write all that happened before with the first sync, and the others find nothing left to do.
 */
export function makeFolderSoon(path: string): string[] {
  const first = mkdirSync(path, { recursive: true });
  if (first === undefined) return [];
  const above: string[] = [];
  for (let at = path; at.length >= first.length; at = dirname(at)) above.push(dirname(at));
  return above;
}

/** Makes the names in a folder durable. File systems that can't sync a folder are taken at their word. */
export function fsyncFolder(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } catch (error) {
    if (!isErrno(error, 'EINVAL', 'EPERM', 'EISDIR', 'ENOTSUP')) throw error;
  } finally {
    closeSync(fd);
  }
}

/** Makes a file's content durable. */
export function fsyncFile(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Writes all of `bytes` at the file's current position. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  let done = 0;
  while (done < bytes.length) done += writeSync(fd, bytes, done);
}

/** Writes a new file whole and syncs it. On any error nothing of it stays. */
export function writeNewFile(path: string, bytes: Uint8Array, mode: number, sync = true): void {
  const fd = openSync(path, 'wx', mode);
  try {
    writeAll(fd, bytes);
    if (sync) fsyncSync(fd);
  } catch (error) {
    closeSync(fd);
    removeFile(path);
    throw error;
  }
  closeSync(fd);
}

/** Temp file in `tmp` → write → fsync → rename → fsync of the folder. `path` holds the old content or the new, never half. */
export function writeFileDurable(path: string, bytes: Uint8Array, mode: number, tmp: string): void {
  const temp = join(tmp, tempName('file'));
  writeNewFile(temp, bytes, mode);
  try {
    renameSync(temp, path);
  } catch (error) {
    removeFile(temp);
    throw error;
  }
  fsyncFolder(dirname(path));
}

/** Removes a file; one that is gone already is fine. */
export function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

/** What another machine's process left is removed after a week: longer than any verb runs. */
const FOREIGN_AGE_MS = 7 * 24 * 3600 * 1000;

/**
 * Removes what dead processes left in a folder of temp files. Names that `tempName` did not give stay.
 * @param keep names for which somebody else decides.
 */
export function sweepTemps(folder: string, now: number, keep?: (name: string) => boolean): void {
  for (const name of listNames(folder)) {
    if (keep?.(name) === true) continue;
    if (isLeftOver(folder, name, now)) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

/** Whether the maker of a temp file is dead, or so long gone on another machine that it must be. */
export function isLeftOver(folder: string, name: string, now: number): boolean {
  const owner = ownerOf(name);
  if (owner === undefined) return false;
  const state = ownerState(owner);
  if (state !== 'elsewhere') return state === 'dead';
  const stats = statSync(join(folder, name), { throwIfNoEntry: false });
  return stats !== undefined && now - stats.mtimeMs > FOREIGN_AGE_MS;
}

/** Names in a folder; none when it is not there. */
export function listNames(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
