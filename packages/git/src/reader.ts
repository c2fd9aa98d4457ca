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
  const objects = cachedObjects(repository, contents);
  const rootName = rootOf(repository, commit);
  const entriesOf = (folder: AnyPath): ReadonlyMap<string, GitEntry> => {
    const known = folders.get(folder);
    if (known !== undefined) return known;
    const id = folder === '' ? rootName : isExternal(folder) ? outside(folder) : find(folder, 'folder');
    if (id !== undefined && !contents.has(id)) loadBelow(objects, [id], idLength);
    const entries = new Map(objects.entries(id, idLength).map((entry) => [entry.name, entry]));
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
      objects.load([id]);
      return contents.get(id);
    },
    list: (folder) => Array.from(entriesOf(folder).values(), ({ name, kind }) => ({ name, kind })),
    kind: (path) => (path === '' ? 'folder' : entryAt(path)?.kind),
    prefetch: (paths) => objects.load([...paths].flatMap((path) => nameOf(path) ?? [])),
  };
}

/** Reads the folders of many commits in one go, with the files that are asked for first, for readers that share `contents`. */
export function preloadRevisions(
  repository: Repository,
  commits: readonly CommitId[],
  contents: Map<string, Buffer>,
): void {
  const roots = commits.map((commit) => rootOf(repository, commit));
  loadBelow(cachedObjects(repository, contents), roots, (commits[0]?.length ?? 0) / 2);
}

function rootOf(repository: Repository, commit: CommitId): string {
  return `${commit}:${repository.prefix}`;
}

interface Objects {
  load(ids: readonly string[]): void;
  /** What stands in a folder that was loaded. */
  entries(id: string | undefined, idLength: number): readonly GitEntry[];
}

function cachedObjects(repository: Repository, contents: Map<string, Buffer>): Objects {
  return {
    load(ids) {
      const wanted = ids.filter((id) => !contents.has(id));
      if (wanted.length > 0) for (const [id, bytes] of repository.read(wanted)) contents.set(id, bytes);
    },
    entries(id, idLength) {
      const bytes = id === undefined ? undefined : contents.get(id);
      return bytes === undefined ? [] : parseGitTree(bytes, idLength);
    },
  };
}

/** Reads folders with all that lies below them, as far as somebody is likely to ask. */
function loadBelow(objects: Objects, tops: readonly string[], idLength: number): void {
  const seen = new Set<string>();
  for (let level = tops; level.length > 0; ) {
    objects.load(level);
    const below = level
      .flatMap((id) => objects.entries(id, idLength))
      .filter(({ name, kind, id }) => {
        const isWanted = kind === 'folder' ? !UNLIKELY.has(name) : LIKELY.has(name);
        return isWanted && !seen.has(id) && seen.add(id);
      });
    objects.load(below.map(({ id }) => id));
    level = below.flatMap(({ kind, id }) => (kind === 'folder' ? id : []));
  }
}
