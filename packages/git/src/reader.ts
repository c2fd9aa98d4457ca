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

/** Folders that are read when somebody asks for them: they may be large, and hold no pipeline. */
const UNLIKELY: ReadonlySet<string> = new Set(['node_modules', '.dvc', '.cache']);

/** A reader that can be asked what is there without reading it, and be told what will be asked for. */
export interface RevisionReader extends SourceReader {
  /** What stands at a path of the project. */
  kind(path: ProjectPath): GitEntry['kind'] | undefined;
  /** Reads files in one go: git is asked once, not once a file. */
  prefetch(paths: Iterable<AnyPath>): void;
}

/**
 * The project's own files as they stood at a commit, and those of the same repository beside it; of others nobody knows what
 * they were then. What is read is kept for as long as the reader. Folders are read a depth at a time.
 * @param contents what is known of git's objects by name; readers that share it ask for nothing twice.
 */
export function revisionReader(
  repository: Repository,
  commit: CommitId,
  contents: Map<string, Buffer> = new Map(),
): RevisionReader {
  const folders = new Map<AnyPath, ReadonlyMap<string, GitEntry>>();
  const idLength = commit.length / 2;
  const load = (ids: readonly string[]): void => {
    const wanted = ids.filter((id) => !contents.has(id));
    if (wanted.length > 0) for (const [id, bytes] of repository.read(wanted)) contents.set(id, bytes);
  };
  const parsed = (id: string | undefined): readonly GitEntry[] => {
    const bytes = id === undefined ? undefined : contents.get(id);
    return bytes === undefined ? [] : parseGitTree(bytes, idLength);
  };
  const rootName = `${commit}:${repository.prefix}`;
  /** Reads a folder with all that lies below it, as far as somebody is likely to ask. */
  const loadBelow = (top: string): void => {
    const seen = new Set<string>();
    for (let level = [top]; level.length > 0; ) {
      load(level);
      const below = level.flatMap(parsed).filter(({ name, kind, id }) => {
        const isWanted = kind === 'folder' ? !UNLIKELY.has(name) : LIKELY.has(name);
        return isWanted && !seen.has(id) && seen.add(id);
      });
      load(below.map(({ id }) => id));
      level = below.flatMap(({ kind, id }) => (kind === 'folder' ? id : []));
    }
  };
  const entriesOf = (folder: AnyPath): ReadonlyMap<string, GitEntry> => {
    const known = folders.get(folder);
    if (known !== undefined) return known;
    const id = folder === '' ? rootName : isExternal(folder) ? outside(folder) : find(folder, 'folder');
    if (id !== undefined && !contents.has(id)) loadBelow(id);
    const entries = new Map(parsed(id).map((entry) => [entry.name, entry]));
    folders.set(folder, entries);
    return entries;
  };
  const entryAt = (path: ProjectPath): GitEntry | undefined => entriesOf(parentPath(path)).get(baseName(path));
  const find = (path: ProjectPath, kind: GitEntry['kind']): ObjectId | undefined => {
    const entry = entryAt(path);
    return entry?.kind === kind ? entry.id : undefined;
  };
  /** The name of something in the repository that lies outside the project. */
  const outside = (path: AnyPath): string | undefined => {
    if (path.startsWith('/') || path.includes('\n')) return undefined;
    const ups = path.split('/').filter((part) => part === '..').length;
    if (ups > repository.prefix.split('/').filter(Boolean).length) return undefined;
    return `${commit}:${absolutePath(`/${repository.prefix}`, path).slice(1)}`;
  };
  const nameOf = (path: AnyPath): string | undefined => (isExternal(path) ? outside(path) : find(path, 'file'));
  return {
    read(path) {
      const id = nameOf(path);
      if (id === undefined) return undefined;
      load([id]);
      return contents.get(id);
    },
    list: (folder) => Array.from(entriesOf(folder).values(), ({ name, kind }) => ({ name, kind })),
    kind: (path) => (path === '' ? 'folder' : entryAt(path)?.kind),
    prefetch: (paths) => load([...paths].flatMap((path) => nameOf(path) ?? [])),
  };
}
