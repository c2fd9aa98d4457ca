import { type IgnoreAnswer, ignoreAnswer, ignoreTest, joinPath, type ProjectPath, parentPath, ROOT } from '@dag/model';
import ignore from 'ignore';
import type { SourceReader } from '../pipeline.ts';

/** Which paths .gitignore and .dagignore files leave out. */
export interface IgnoreRules {
  /** Takes in the ignore files of a folder; called for a folder before anything in it is asked for. */
  enter(folder: ProjectPath, names: ReadonlySet<string>): void;
  /** By either kind of file; the folder that holds it is not. */
  ignored(path: ProjectPath, kind: 'file' | 'folder'): boolean;
  /** By .gitignore alone; the folder that holds it is not. */
  gitIgnored(path: ProjectPath): boolean;
  /** By .dagignore alone, itself or by a folder above it. */
  leftOut(path: ProjectPath, kind: 'file' | 'folder'): boolean;
}

/** Rules read through `reader`, folder by folder as a walk enters them: a deeper file wins over those above it. */
export function ignoreRules(reader: SourceReader): IgnoreRules {
  const git = new Map<ProjectPath, Test>();
  const own = new Map<ProjectPath, Test>();
  const take = (name: string, folder: ProjectPath, rules: Map<ProjectPath, Test>) => {
    const bytes = reader.read(joinPath(folder, name));
    if (bytes) rules.set(folder, ignoreTest(new TextDecoder().decode(bytes), compile));
  };
  return {
    enter(folder, names) {
      if (names.has('.gitignore')) take('.gitignore', folder, git);
      if (names.has('.dagignore')) take('.dagignore', folder, own);
    },
    ignored: (path, kind) => matches(git, path, kind) || matches(own, path, kind),
    gitIgnored: (path) => matches(git, path, 'file'),
    leftOut(path, kind) {
      if (own.size === 0) return false;
      for (let end = path.indexOf('/'); end !== -1; end = path.indexOf('/', end + 1)) {
        if (matches(own, path.slice(0, end) as ProjectPath, 'folder')) return true;
      }
      return matches(own, path, kind);
    },
  };
}

/** What one ignore file says of a path seen from it. */
type Test = (path: string) => IgnoreAnswer;

function compile(text: string): Test {
  const rules = ignore({ ignorecase: false }).add(text);
  return (path) => rules.test(path);
}

function matches(rules: ReadonlyMap<ProjectPath, Test>, path: ProjectPath, kind: 'file' | 'folder'): boolean {
  if (rules.size === 0) return false;
  for (let folder = parentPath(path); ; folder = parentPath(folder)) {
    const test = rules.get(folder);
    if (test) {
      const inside = folder === ROOT ? path : path.slice(folder.length + 1);
      const verdict = ignoreAnswer(test, kind === 'folder' ? `${inside}/` : inside);
      if (verdict.ignored) return true;
      if (verdict.unignored) return false;
    }
    if (folder === ROOT) return false;
  }
}
