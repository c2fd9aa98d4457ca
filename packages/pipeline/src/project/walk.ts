import { byCodeUnit, joinPath, type ProjectPath, ROOT } from '@dag/model';
import type { SourceReader } from '../pipeline.ts';
import { type IgnoreRules, ignoreRules } from './ignore.ts';

/** Folders that never hold a pipeline of the project. */
const SKIPPED: ReadonlySet<string> = new Set(['.git', '.hg', '.svn', '.dvc', '.cache', 'node_modules']);

export const PIPELINE_FILE = 'pipeline.yaml';
export const LOCK_FILE = 'pipeline.lock';

export interface WalkVisitor {
  /**
   * Called for each pipeline.yaml, outer ones first. `lockIgnored`: git ignores the lock beside it. False where it is the
   * root of a project of its own: then nothing below it belongs to this one.
   */
  file(file: ProjectPath, lockIgnored: boolean): boolean;
  /** Called for a pipeline.yaml at the root that git ignores: it can't be left out, as others are. */
  rootIgnored(file: ProjectPath): void;
  /** Whether a folder is made by a stage or tracked as data, as far as known from the files visited. */
  skip(folder: ProjectPath): boolean;
}

/**
 * Finds every pipeline.yaml; does not enter folders that are ignored, made by stages, tracked, projects of their own, or
 * git repositories inside this one.
 * @returns the rules of the folders that were entered.
 */
export function walkPipelines(reader: SourceReader, visitor: WalkVisitor): IgnoreRules {
  const rules = ignoreRules(reader);
  const stack: ProjectPath[] = [ROOT];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const folder = next;
    const entries = reader.list(folder);
    const names = new Set<string>();
    const folders: string[] = [];
    for (const { name, kind } of entries) {
      if (kind === 'file') names.add(name);
      else if (kind === 'folder' && !SKIPPED.has(name)) folders.push(name);
    }
    if (folder !== ROOT && entries.some((entry) => entry.name === '.git')) continue;
    rules.enter(folder, names);
    const file = joinPath(folder, PIPELINE_FILE);
    const ignored = names.has(PIPELINE_FILE) && rules.ignored(file, 'file');
    if (ignored && folder === ROOT) visitor.rootIgnored(file);
    if (names.has(PIPELINE_FILE) && !ignored) {
      const own = !visitor.file(file, rules.gitIgnored(joinPath(folder, LOCK_FILE)));
      if (own) continue;
    }
    const inner = folders
      .sort(byCodeUnit)
      .map((name) => joinPath(folder, name))
      .filter((path) => !visitor.skip(path) && !rules.ignored(path, 'folder'));
    for (const path of inner.reverse()) stack.push(path);
  }
  return rules;
}

/**
 * Whether a pipeline.yaml makes its folder the root of a project, whatever stands above. Told from the text alone, so that
 * it holds for a file with mistakes, too.
 */
export function saysRoot(content: Uint8Array | undefined): boolean {
  return content !== undefined && /^root:[ \t]+true[ \t]*(#.*)?$/m.test(new TextDecoder().decode(content));
}
