import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ignoreAnswer, joinPath, type ProjectPath, ROOT } from '@dag/model';
import { isErrno } from '@dag/store';
import ignore, { type Ignore } from 'ignore';

/** The rules that hold in one folder: those of its ignore file and of the folders above, outermost first. */
export interface FolderRules {
  readonly folder: ProjectPath;
  readonly chain: readonly { readonly folder: ProjectPath; readonly rules: Ignore }[];
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
  const known = new Map<ProjectPath, Ignore>();
  const read = (folder: ProjectPath): Ignore | undefined => {
    const before = known.get(folder);
    if (before !== undefined) return before;
    try {
      const rules = ignore({ ignorecase: false }).add(readFileSync(join(root, folder, fileName), 'utf8'));
      known.set(folder, rules);
      return rules;
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EISDIR', 'EACCES')) return undefined;
      throw error;
    }
  };
  const enter = (above: FolderRules, folder: ProjectPath): FolderRules => {
    const rules = read(folder);
    return { folder, chain: rules === undefined ? above.chain : [...above.chain, { folder, rules }] };
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

/** Whether a name in a folder is left out. The innermost file that speaks of it decides, as in git. */
export function isIgnored(rules: FolderRules, name: string, isFolder: boolean): boolean {
  for (let i = rules.chain.length - 1; i >= 0; i--) {
    const link = rules.chain[i];
    if (link === undefined) continue;
    const path = joinPath(rules.folder, name);
    const inside = link.folder === '' ? path : path.slice(link.folder.length + 1);
    const answer = ignoreAnswer((one) => link.rules.test(one), isFolder ? `${inside}/` : inside);
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
