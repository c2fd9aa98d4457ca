import fs from 'node:fs';
import path from 'node:path';
import type { CheckpointFile } from '@dag/model';
import { checkpointStep } from '@dag/worker/protocol';

/** Files that are being written, or were put aside as damaged. */
const NOT_WHOLE = /(\.tmp|\.damaged)$/;

/** What is to be sent of a folder of checkpoints: of those that a worker saved the newest, and all other files. */
export function listFiles(folder: string): CheckpointFile[] {
  const names = fs.readdirSync(folder);
  const saved = names.flatMap((name) => {
    const one = checkpointStep(name);
    return one === undefined ? [] : [{ name, ...one }];
  });
  const newest = saved.sort((a, b) => b.number - a.number)[0]?.name;
  const older = new Set(saved.map(({ name }) => name).filter((name) => name !== newest));
  const found: CheckpointFile[] = [];
  const visit = (inside: string): void => {
    for (const name of inside === '' ? names : fs.readdirSync(path.join(folder, inside))) {
      if (NOT_WHOLE.test(name) || name.includes('\\') || (inside === '' && older.has(name))) continue;
      const at = inside === '' ? name : `${inside}/${name}`;
      const stats = fs.lstatSync(path.join(folder, at), { throwIfNoEntry: false });
      if (stats?.isDirectory() === true) visit(at);
      else if (stats?.isSymbolicLink() === true) {
        const link = fs.readlinkSync(path.join(folder, at));
        if (staysInside(at, link)) found.push({ path: at, link });
      } else if (stats?.isFile() === true) {
        const { size, mtimeMs: modified, mode } = stats;
        found.push({ path: at, size, modified, executable: (mode & 0o100) !== 0 });
      }
    }
  };
  visit('');
  return found;
}

/** Links that lead out of the folder mean nothing elsewhere. */
function staysInside(at: string, link: string): boolean {
  const to = path.posix.join(path.posix.dirname(at), link);
  return !path.posix.isAbsolute(link) && !link.includes('\\') && to !== '.' && to !== '..' && !to.startsWith('../');
}

/** A name for what a list holds: another one where any file is another. */
export function namesOf(files: readonly CheckpointFile[]): string {
  return JSON.stringify(files);
}

/**
 * Copies files as they are at one moment, times included.
 * @returns false where some changed meanwhile: the copy is of no use then.
 */
export function copyFiles(folder: string, files: readonly CheckpointFile[], to: string): boolean {
  fs.rmSync(to, { recursive: true, force: true });
  for (const file of files) {
    const target = path.join(to, file.path);
    fs.mkdirSync(path.dirname(target), { recursive: true });
    if ('link' in file) continue;
    fs.copyFileSync(path.join(folder, file.path), target, fs.constants.COPYFILE_FICLONE);
    fs.utimesSync(target, file.modified / 1000, file.modified / 1000);
  }
  return namesOf(listFiles(folder)) === namesOf(files);
}
