import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ignoreAnswer, joinPath, type ProjectPath, parentPath } from '@dag/model';
import { ioFailure, isErrno } from '@dag/store';
import ignore from 'ignore';

/** The line of an ignore file that decides about a path. */
export interface IgnoreRule {
  readonly file: ProjectPath;
  /** From 1. */
  readonly line: number;
  readonly pattern: string;
  /** Whether it leaves the path out; else it takes that back. */
  readonly ignores: boolean;
}

/**
 * Which line of a .dagignore says whether a path is left out: of the outermost folder on its way that is, else of the path
 * itself. Undefined where none speaks of it. `Workspace.ignored` answers the same, faster, without the line.
 */
export function explainIgnore(root: string, path: ProjectPath): IgnoreRule | undefined {
  const parts = path.split('/');
  let rule: IgnoreRule | undefined;
  for (const [i] of parts.entries()) {
    const at = parts.slice(0, i + 1).join('/') as ProjectPath;
    const isFolder =
      i < parts.length - 1 || lstatSync(join(root, at), { throwIfNoEntry: false })?.isDirectory() === true;
    rule = ruleFor(root, at, isFolder);
    if (rule?.ignores === true) return rule;
  }
  return rule;
}

/** The innermost file that speaks of it decides. */
function ruleFor(root: string, path: ProjectPath, isFolder: boolean): IgnoreRule | undefined {
  for (let folder = parentPath(path); ; folder = parentPath(folder)) {
    const file = joinPath(folder, '.dagignore');
    const lines = linesOf(root, file);
    const inside = folder === '' ? path : path.slice(folder.length + 1);
    const shown = isFolder ? `${inside}/` : inside;
    const answer = ignoreAnswer((wanted) => rulesOf(lines).test(wanted), shown);
    if (answer.ignored || answer.unignored) {
      const line = lines.findLastIndex((pattern) => isOf(pattern, answer.unignored, shown));
      return { file, line: line + 1, pattern: lines[line] ?? '', ignores: answer.ignored };
    }
    if (folder === '') return undefined;
  }
}

/** Whether a line by itself speaks of a path, in this sense. */
function isOf(pattern: string, takesBack: boolean, path: string): boolean {
  if (pattern.startsWith('!') !== takesBack) return false;
  return ignoreAnswer((wanted) => rulesOf([takesBack ? pattern.slice(1) : pattern]).test(wanted), path).ignored;
}

function rulesOf(lines: readonly string[]) {
  return ignore({ ignorecase: false }).add(lines.join('\n'));
}

function linesOf(root: string, file: ProjectPath): string[] {
  try {
    return readFileSync(join(root, file), 'utf8').split(/\r?\n/);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EISDIR', 'EACCES')) return [];
    throw ioFailure(error, 'read', file);
  }
}
