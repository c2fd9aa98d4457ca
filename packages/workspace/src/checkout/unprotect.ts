import { chmodSync, constants, copyFileSync, lstatSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ProjectPath } from '@dag/model';
import { removeFile, tempName, withIo } from '@dag/store';
import type { Context } from '../context.ts';
import { ownFolders } from '../observe/node.ts';
import { walk } from '../observe/walk.ts';
import { tempFolderFor } from '../temp-folder.ts';
import { newFileMode } from '../threads/place-file.ts';
import type { WorkOptions } from '../types.ts';
import { leadsToObject } from './present.ts';

/** See `Workspace.unprotect`: each link into the cache becomes a file of the user's own, by temp file and rename. */
export async function unprotect(
  context: Context,
  paths: readonly ProjectPath[],
  options: WorkOptions = {},
): Promise<ProjectPath[]> {
  const rules = { root: context.root, skip: context.skip, ignore: context.ignore(), strict: false };
  const changed: ProjectPath[] = [];
  for (const path of paths) {
    const standing = walk(path, rules);
    let any = false;
    if (standing.kind === 'file') any = own(standing.abs, context.tmp());
    if (standing.kind === 'folder') {
      for (const node of ownFolders(standing.node)) {
        options.signal?.throwIfAborted();
        const temp = tempFolderFor(context, node.abs);
        try {
          for (const name of [...node.files, ...node.followed]) any = own(`${node.abs}/${name}`, temp) || any;
        } finally {
          if (temp !== context.tmp()) rmSync(temp, { recursive: true, force: true });
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    if (any) changed.push(path);
  }
  return changed;
}

function own(abs: string, folder: string): boolean {
  return withIo('make a copy of', abs, () => {
    const self = lstatSync(abs);
    const isOurs = self.isSymbolicLink() ? leadsToObject(abs) : self.nlink > 1 || (self.mode & 0o200) === 0;
    if (!isOurs) return false;
    const executable = (statSync(abs).mode & 0o111) !== 0;
    mkdirSync(folder, { recursive: true });
    const temp = join(folder, tempName('copy'));
    try {
      copyFileSync(abs, temp, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
      chmodSync(temp, newFileMode(executable));
      renameSync(temp, abs);
    } catch (error) {
      removeFile(temp);
      throw error;
    }
    return true;
  });
}
