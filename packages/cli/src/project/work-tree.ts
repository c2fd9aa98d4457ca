import fs from 'node:fs';
import path from 'node:path';
import { gitTop } from './root.ts';

/**
 * The cache of the main work tree, where a project lies in another one of the same repository: they share it. One that has a
 * cache of its own keeps it.
 * @returns absolute; undefined in a main work tree, outside git, and beside a bare repository.
 */
export function mainCache(root: string): string | undefined {
  const top = gitTop(root);
  if (top === undefined) return undefined;
  const main = mainWorkTree(top);
  if (main === undefined || ['objects', 'packs'].some((name) => fs.existsSync(path.join(root, '.cache', name)))) {
    return undefined;
  }
  const project = path.join(main, path.relative(top, root));
  return fs.existsSync(project) ? path.join(project, '.cache') : undefined;
}

/** As gitrepository-layout(5) has it: `.git` is a file there that names a folder with a file `commondir`. */
function mainWorkTree(top: string): string | undefined {
  const dotGit = path.join(top, '.git');
  if (!fs.statSync(dotGit).isFile()) return undefined;
  const gitDir = /^gitdir: (.*)$/m.exec(fs.readFileSync(dotGit, 'utf8'))?.[1];
  const home = gitDir === undefined ? undefined : path.resolve(top, gitDir);
  const link = home === undefined ? undefined : path.join(home, 'commondir');
  if (home === undefined || link === undefined || !fs.existsSync(link)) return undefined;
  const common = path.resolve(home, fs.readFileSync(link, 'utf8').trim());
  return path.basename(common) === '.git' ? path.dirname(common) : undefined;
}
