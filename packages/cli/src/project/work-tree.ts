import fs from 'node:fs';
import path from 'node:path';
import { gitTop } from './root.ts';

/**
 * The cache that the work trees of a repository share, seen from another one than the main: that of the main work tree, or
 * where the repository is bare, one beside git's own objects. A work tree that has a cache of its own keeps it.
 * @returns absolute; undefined in a main work tree and outside git.
 */
export function sharedCache(root: string): string | undefined {
  const top = gitTop(root);
  const common = top === undefined ? undefined : commonFolder(top);
  if (top === undefined || common === undefined) return undefined;
  if (['objects', 'packs'].some((name) => fs.existsSync(path.join(root, '.cache', name)))) return undefined;
  const inside = path.relative(top, root);
  const main = mainWorkTree(common);
  if (main === 'none') return path.join(common, 'dag-cache', inside);
  const project = main === undefined ? undefined : path.join(main, inside);
  return project !== undefined && fs.existsSync(project) ? path.join(project, '.cache') : undefined;
}

/** As gitrepository-layout(5) has it: `.git` is a file in a work tree that names a folder with a file `commondir`. */
function commonFolder(top: string): string | undefined {
  const dotGit = path.join(top, '.git');
  if (!fs.statSync(dotGit).isFile()) return undefined;
  const gitDir = /^gitdir: (.*)$/m.exec(fs.readFileSync(dotGit, 'utf8'))?.[1];
  const home = gitDir === undefined ? undefined : path.resolve(top, gitDir);
  const link = home === undefined ? undefined : path.join(home, 'commondir');
  if (home === undefined || link === undefined || !fs.existsSync(link)) return undefined;
  return path.resolve(home, fs.readFileSync(link, 'utf8').trim());
}

/** `none`: the repository is bare. A submodule's is kept elsewhere, and says so. undefined where nothing does. */
function mainWorkTree(common: string): string | 'none' | undefined {
  const config = path.join(common, 'config');
  const text = fs.existsSync(config) ? fs.readFileSync(config, 'utf8') : '';
  if (/^\s*bare\s*=\s*true\s*$/im.test(text)) return 'none';
  const elsewhere = /^\s*worktree\s*=\s*(.*?)\s*$/im.exec(text)?.[1];
  if (elsewhere !== undefined) return path.resolve(common, elsewhere);
  return path.basename(common) === '.git' ? path.dirname(common) : undefined;
}
