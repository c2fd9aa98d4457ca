import fs from 'node:fs';
import path from 'node:path';

/** Folders of installed packages that git ignores as a rule, and that programs need. */
const FOLDERS = ['node_modules', '.venv', 'venv'];

/**
 * Lets a tree use the packages that are installed in a work tree: links to them, at the same places. A package of the work
 * tree itself (an npm workspace) leads to the tree's own files.
 * @param folders from the top, where to look.
 * @returns paths from the top that were made.
 */
export function linkPackages(top: string, tree: string, folders: readonly string[]): string[] {
  const made: string[] = [];
  for (const folder of new Set(folders)) {
    for (const name of FOLDERS) {
      const at = path.posix.join(folder, name);
      const [from, to] = [path.join(top, at), path.join(tree, at)];
      if (!fs.existsSync(path.join(tree, folder)) || fs.existsSync(to)) continue;
      if (fs.statSync(from, { throwIfNoEntry: false })?.isDirectory() !== true) continue;
      if (name === 'node_modules') linkModules(top, tree, from, to);
      else fs.symlinkSync(from, to);
      made.push(at);
    }
  }
  return made;
}

function linkModules(top: string, tree: string, from: string, to: string): void {
  fs.mkdirSync(to, { recursive: true });
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)];
    if (entry.isDirectory() && entry.name.startsWith('@')) linkModules(top, tree, source, target);
    else fs.symlinkSync(entry.isSymbolicLink() ? ownPlace(top, tree, source) : source, target);
  }
}

/** Where a link of the work tree leads in the tree: to the counterpart of what is the project's own. */
function ownPlace(top: string, tree: string, link: string): string {
  const real = fs.existsSync(link) ? fs.realpathSync(link) : link;
  const inside = path.relative(top, real);
  const isOwn = inside !== '' && !inside.startsWith('..') && !path.isAbsolute(inside);
  return isOwn && !inside.split(path.sep).includes('node_modules') ? path.join(tree, inside) : link;
}
