import fs from 'node:fs';
import path from 'node:path';
import type { LockFiles } from '@dag/engine';
import { type AnyPath, absolutePath, type ProjectPath, ROOT } from '@dag/model';
import type { SourceReader } from '@dag/pipeline';
import { ioFailure, isErrno } from '@dag/store';
import type { Workspace } from '@dag/workspace';
import { realParent } from './root.ts';

/**
 * Reads the project's own files, and what it names outside, as they stand. `root`: absolute, without symlinks.
 * @param onUnreadable hears of folders that may not be listed, which count as empty then; without it they are failures.
 */
export function workspaceReader(root: string, onUnreadable?: (folder: AnyPath) => void): SourceReader {
  return {
    root,
    real: realParent,
    read: (file) => {
      try {
        return fs.readFileSync(absolutePath(root, file));
      } catch (error) {
        if (isAbsence(error)) return undefined;
        throw ioFailure(error, 'read', file);
      }
    },
    list: (folder) => {
      const at = absolutePath(root, folder);
      try {
        return fs.readdirSync(at, { withFileTypes: true }).map((entry) => ({
          name: entry.name,
          kind: entry.isFile() ? 'file' : entry.isDirectory() ? 'folder' : linkKind(path.join(at, entry.name)),
        }));
      } catch (error) {
        if (isAbsence(error)) return [];
        if (onUnreadable === undefined || folder === ROOT || !isErrno(error, 'EACCES', 'EPERM')) {
          throw ioFailure(error, 'list the folder', folder);
        }
        onUnreadable(folder);
        return [];
      }
    },
  };
}

/** What whoever writes the project's own files holds, always for a moment only. */
const WRITING = { read: [], write: ['.cache/tracked.json' as ProjectPath], purpose: 'writing pipeline.lock' };

/** The lock files of a workspace, written by one process at a time, and by one call at a time within this process. */
export function workspaceLockFiles(workspace: Workspace): LockFiles {
  let last: Promise<unknown> = Promise.resolve();
  const absolute = (file: ProjectPath): string => path.join(workspace.root, file);
  return {
    read: (file) => {
      try {
        return fs.readFileSync(absolute(file), 'utf8');
      } catch (error) {
        if (isAbsence(error)) return undefined;
        throw ioFailure(error, 'read', file);
      }
    },
    stamp: (file) => {
      const stat = fs.statSync(absolute(file), { bigint: true, throwIfNoEntry: false });
      return stat === undefined ? undefined : `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`;
    },
    write: (file, text) => {
      if (text !== undefined) workspace.writeFileAtomic(file, text);
      else fs.rmSync(absolute(file), { force: true });
    },
    exclusively: (update) => {
      const turn = last.then(async () => {
        const release = await workspace.acquire(WRITING, { wait: true });
        try {
          return update();
        } finally {
          release();
        }
      });
      last = turn.catch(() => {});
      return turn;
    },
  };
}

/** One that leads in a circle, or where nobody may look, leads to no file. */
function linkKind(file: string): 'file' | 'other' {
  try {
    return fs.statSync(file).isFile() ? 'file' : 'other';
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall !== undefined) return 'other';
    throw error;
  }
}

function isAbsence(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}
