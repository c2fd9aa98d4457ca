import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { baseName, joinPath, type ProjectPath, parentPath } from '@dag/model';
import { isErrno, removeFile, withIo } from '@dag/store';
import type { Context } from './context.ts';
import { isPathIgnored, openIgnoreRules } from './ignore-rules.ts';
import { writeFileAtomic } from './write-file.ts';

/** See `Workspace.updateGitignore`. Outside git nothing is done. */
export function updateGitignore(
  context: Context,
  changes: { readonly add: readonly ProjectPath[]; readonly remove: readonly ProjectPath[] },
): ProjectPath[] {
  const top = gitTop(context.root);
  if (top === undefined) return [];
  const touched = new Set<ProjectPath>();
  for (const path of changes.remove) if (edit(context, path, removeLine)) touched.add(fileOf(path));
  for (const path of changes.add) {
    if (!isIgnoredByGit(top, context.root, path) && edit(context, path, addLine)) touched.add(fileOf(path));
  }
  return [...touched].sort();
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

function edit(context: Context, path: ProjectPath, change: (text: string, line: string) => string): boolean {
  const file = fileOf(path);
  const abs = join(context.root, file);
  const before = withIo('read', file, () => readText(abs));
  const after = change(before, ignoreLine(baseName(path)));
  if (after === before) return false;
  if (after === '') withIo('remove', file, () => removeFile(abs));
  else writeFileAtomic(context, file, after);
  return true;
}

function addLine(text: string, line: string): string {
  const end = text.includes('\r\n') ? '\r\n' : '\n';
  return text === '' || text.endsWith('\n') ? `${text}${line}${end}` : `${text}${end}${line}${end}`;
}

function removeLine(text: string, line: string): string {
  return text
    .split(/(?<=\n)/)
    .filter((one) => one.replace(/\r?\n$/, '') !== line)
    .join('');
}

/** Whether git's rules leave the path out already, be it a file or a folder. */
function isIgnoredByGit(top: string, root: string, path: ProjectPath): boolean {
  const fromTop = relative(top, join(root, path)).split(sep).join('/') as ProjectPath;
  const rules = openIgnoreRules(top, '.gitignore');
  const stats = lstatSync(join(root, path), { throwIfNoEntry: false });
  if (stats !== undefined) return isPathIgnored(rules, fromTop, stats.isDirectory());
  return isPathIgnored(rules, fromTop, false) && isPathIgnored(rules, fromTop, true);
}

function gitTop(root: string): string | undefined {
  for (let at = root; ; at = dirname(at)) {
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
