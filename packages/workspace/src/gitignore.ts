import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { baseName, groupBy, joinPath, type ProjectPath, parentPath } from '@dag/model';
import { isErrno, removeFile, withIo } from '@dag/store';
import type { Context } from './context.ts';
import { type IgnoreRules, isPathIgnored, openIgnoreRules } from './ignore-rules.ts';
import { writeFileAtomic } from './write-file.ts';

/** See `Workspace.updateGitignore`. Outside git nothing is done. Each file is read once and written once. */
export function updateGitignore(
  context: Context,
  changes: { readonly add: readonly ProjectPath[]; readonly remove: readonly ProjectPath[] },
): ProjectPath[] {
  const top = context.gitTop();
  if (top === undefined) return [];
  const removed = edit(context, changes.remove, removeLines);
  const rules = openIgnoreRules(top, '.gitignore');
  const seen = changes.add.filter((path) => !isIgnoredByGit(rules, top, context.root, path));
  const added = edit(context, seen, addLines);
  return [...new Set([...removed, ...added])].sort();
}

/** The line that ignores exactly this name in its folder; a line end, which no line can hold, becomes any one character. */
export function ignoreLine(name: string): string {
  const escaped = name
    .replace(/[\\*?[\]]/g, '\\$&')
    .replace(/[\r\n]/g, '?')
    .replace(/ +$/, (spaces) => spaces.replace(/ /g, '\\ '));
  return `/${escaped}`;
}

function fileOf(path: ProjectPath): ProjectPath {
  return joinPath(parentPath(path), '.gitignore');
}

/** Changes the lines of paths in the .gitignore beside it. Returns the files that changed. */
function edit(
  context: Context,
  paths: readonly ProjectPath[],
  change: (text: string, lines: readonly string[]) => string,
): ProjectPath[] {
  const touched: ProjectPath[] = [];
  for (const [file, ofFile] of groupBy(new Set(paths), fileOf)) {
    const abs = join(context.root, file);
    const before = withIo('read', file, () => readText(abs));
    const after = change(
      before,
      ofFile.map((path) => ignoreLine(baseName(path))),
    );
    if (after === before) continue;
    if (after === '') withIo('remove', file, () => removeFile(abs));
    else writeFileAtomic(context, file, after);
    touched.push(file);
  }
  return touched;
}

function addLines(text: string, lines: readonly string[]): string {
  const end = text.includes('\r\n') ? '\r\n' : '\n';
  const between = text === '' || text.endsWith('\n') ? '' : end;
  return `${text}${between}${lines.map((line) => `${line}${end}`).join('')}`;
}

function removeLines(text: string, lines: readonly string[]): string {
  const gone = new Set(lines);
  return text
    .split(/(?<=\n)/)
    .filter((one) => !gone.has(one.replace(/\r?\n$/, '')))
    .join('');
}

/** Whether git's rules leave the path out already, be it a file or a folder. */
function isIgnoredByGit(rules: IgnoreRules, top: string, root: string, path: ProjectPath): boolean {
  const fromTop = relative(top, join(root, path)).split(sep).join('/') as ProjectPath;
  const stats = lstatSync(join(root, path), { throwIfNoEntry: false });
  if (stats !== undefined) return isPathIgnored(rules, fromTop, stats.isDirectory());
  return isPathIgnored(rules, fromTop, false) && isPathIgnored(rules, fromTop, true);
}

/** The nearest folder at or above one that holds a `.git`. */
export function folderWithGit(folder: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, '.git'))) return at;
    if (dirname(at) === at) return undefined;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return '';
    throw error;
  }
}
