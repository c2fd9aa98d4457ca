import { chmodSync, cpSync, lstatSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '@dag/store';

/** Renames whatever stands at `from`. A folder that says that nobody may write to it can move too, and says so still. */
export function moveTree(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    const stats = isErrno(error, 'EACCES', 'EPERM') ? lstatSync(from, { throwIfNoEntry: false }) : undefined;
    if (stats?.isDirectory() !== true || (stats.mode & 0o200) !== 0) throw error;
    // A folder that gets another parent is written to.
    chmodSync(from, stats.mode | 0o200);
    try {
      renameSync(from, to);
    } catch (second) {
      chmodSync(from, stats.mode);
      throw second;
    }
    chmodSync(to, stats.mode);
  }
}

/** As `moveTree`, from one file system to another too: copied there, pipes and sockets left out, and then removed here. */
export function moveTreeAcross(from: string, to: string): void {
  try {
    moveTree(from, to);
  } catch (error) {
    if (!isErrno(error, 'EXDEV')) throw error;
    const isKept = (path: string): boolean => {
      const stats = lstatSync(path);
      return stats.isFile() || stats.isDirectory() || stats.isSymbolicLink();
    };
    cpSync(from, to, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true, filter: isKept });
    removeTree(from);
  }
}

/** Removes whatever stands at a path, folders that nobody may write to included; nothing there is fine. */
export function removeTree(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch (error) {
    if (!isErrno(error, 'EACCES', 'EPERM', 'ENOTEMPTY')) throw error;
    openFolders(path);
    rmSync(path, { recursive: true, force: true });
  }
}

function openFolders(path: string): void {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats?.isDirectory() !== true) return;
  if ((stats.mode & 0o700) !== 0o700) chmodSync(path, stats.mode | 0o700);
  for (const name of readdirSync(path)) openFolders(join(path, name));
}
