import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type IgnoreAnswer, ignoreAnswer, ignoreTest, joinPath, type ProjectPath, ROOT } from '@dag/model';
import { ioFailure, isErrno } from '@dag/store';
import ignore from 'ignore';

/** What one ignore file says of a path seen from it. */
type Test = (path: string) => IgnoreAnswer;

/** The rules that hold in one folder: those of its ignore file and of the folders above, outermost first. */
export interface FolderRules {
  readonly folder: ProjectPath;
  readonly chain: readonly { readonly folder: ProjectPath; readonly test: Test }[];
}

/** Rules in gitignore's language, read from files of one name in every folder of the project. */
export interface IgnoreRules {
  /** The rules in a folder, from those of the folder above. */
  enter(above: FolderRules, folder: ProjectPath): FolderRules;
  /** The rules in a folder. */
  in(folder: ProjectPath): FolderRules;
}

/** The rules of a folder outside the project: the project's are not asked there, nor are others. */
export const NO_RULES: FolderRules = { folder: ROOT, chain: [] };

/** An ignore file that is there is read once: its rules are as they stood when they were first asked for. */
export function openIgnoreRules(root: string, fileName: string): IgnoreRules {
  const known = new Map<ProjectPath, Test>();
  const read = (folder: ProjectPath): Test | undefined => {
    const before = known.get(folder);
    if (before !== undefined) return before;
    try {
      const test = ignoreTest(readFileSync(join(root, folder, fileName), 'utf8'), compile);
      known.set(folder, test);
      return test;
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EISDIR', 'EACCES')) return undefined;
      throw ioFailure(error, 'read', join(folder, fileName));
    }
  };
  const enter = (above: FolderRules, folder: ProjectPath): FolderRules => {
    const test = read(folder);
    return { folder, chain: test === undefined ? above.chain : [...above.chain, { folder, test }] };
  };
  return {
    enter,
    in(folder) {
      let rules = enter({ folder: ROOT, chain: [] }, ROOT);
      if (folder === ROOT) return rules;
      const parts = folder.split('/');
      for (let i = 1; i <= parts.length; i++) rules = enter(rules, parts.slice(0, i).join('/') as ProjectPath);
      return rules;
    },
  };
}

function compile(text: string): Test {
  const rules = ignore({ ignorecase: false }).add(text);
  return (path) => rules.test(path);
}

/** Whether a name in a folder is left out. The innermost file that speaks of it decides, as in git. */
export function isIgnored(rules: FolderRules, name: string, isFolder: boolean): boolean {
  for (let i = rules.chain.length - 1; i >= 0; i--) {
    const link = rules.chain[i];
    if (link === undefined) continue;
    const path = joinPath(rules.folder, name);
    const inside = link.folder === '' ? path : path.slice(link.folder.length + 1);
    const answer = ignoreAnswer(link.test, isFolder ? `${inside}/` : inside);
    if (answer.ignored) return true;
    if (answer.unignored) return false;
  }
  return false;
}

/** Whether a path is left out, itself or by a folder above it: what lies in an ignored folder stays ignored. */
export function isPathIgnored(rules: IgnoreRules, path: ProjectPath, isFolder: boolean): boolean {
  const parts = path.split('/');
  let at = rules.in(ROOT);
  for (const [i, part] of parts.entries()) {
    const last = i === parts.length - 1;
    if (isIgnored(at, part, !last || isFolder)) return true;
    if (!last) at = rules.enter(at, joinPath(at.folder, part));
  }
  return false;
}
