import { type AnyPath, absolutePath, baseName, isExternal, type ProjectPath, parentPath } from '@dag/model';
import type { SourceReader } from '@dag/pipeline';
import type { CommitId, GitEntry, ObjectId, Repository } from './repository.ts';
import { parseGitTree } from './tree.ts';

/** Files that are read with their folder, since whoever lists the folder asks for them next. */
const LIKELY: ReadonlySet<string> = new Set([
  'pipeline.yaml',
  'pipeline.lock',
  'params.yaml',
  '.gitignore',
  '.dagignore',
]);

/**
 * The project's own files as they stood at a commit, and those of the same repository beside it; of others nobody knows what
 * they were then. What is read is kept for as long as the reader.
 */
export function revisionReader(repository: Repository, commit: CommitId): SourceReader {
  const folders = new Map<AnyPath, readonly GitEntry[]>();
  const contents = new Map<string, Buffer>();
  const load = (ids: readonly string[]): void => {
    const wanted = ids.filter((id) => !contents.has(id));
    if (wanted.length > 0) for (const [id, bytes] of repository.read(wanted)) contents.set(id, bytes);
  };
  const rootName = `${commit}:${repository.prefix}`;
  const entriesOf = (folder: AnyPath): readonly GitEntry[] => {
    const known = folders.get(folder);
    if (known !== undefined) return known;
    const id = folder === '' ? rootName : isExternal(folder) ? outside(folder) : find(folder, 'folder');
    if (id !== undefined) load([id]);
    const bytes = id === undefined ? undefined : contents.get(id);
    const entries = bytes === undefined ? [] : parseGitTree(bytes, commit.length / 2);
    folders.set(folder, entries);
    // The folders inside are asked for soon after: one call of git for all of them.
    load(entries.filter(({ name, kind }) => kind === 'folder' || LIKELY.has(name)).map((entry) => entry.id));
    return entries;
  };
  const find = (path: ProjectPath, kind: GitEntry['kind']): ObjectId | undefined =>
    entriesOf(parentPath(path)).find((entry) => entry.name === baseName(path) && entry.kind === kind)?.id;
  /** The name of something in the repository that lies outside the project. */
  const outside = (path: AnyPath): string | undefined => {
    if (path.startsWith('/') || path.includes('\n')) return undefined;
    const ups = path.split('/').filter((part) => part === '..').length;
    if (ups > repository.prefix.split('/').filter(Boolean).length) return undefined;
    return `${commit}:${absolutePath(`/${repository.prefix}`, path).slice(1)}`;
  };
  return {
    read(path) {
      const id = isExternal(path) ? outside(path) : find(path, 'file');
      if (id === undefined) return undefined;
      load([id]);
      return contents.get(id);
    },
    list: (folder) => entriesOf(folder).map(({ name, kind }) => ({ name, kind })),
  };
}
