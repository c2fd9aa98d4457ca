import { joinPath, type Lock, type ProjectPath, ROOT } from '@dag/model';
import { parseLock } from '@dag/pipeline';
import type { CommitId, GitEntry, Repository } from './repository.ts';
import { parseGitTree } from './tree.ts';

/** A pipeline.lock that stood in the project at one of the commits. */
export interface RevisionLock {
  readonly file: ProjectPath;
  /** The first of the commits, in the order given, that has it so. */
  readonly commit: CommitId;
  /** undefined where the text is no lock, or git lacks it. */
  readonly lock: Lock | undefined;
  /** Whether git lacks the text, or the folder that may hold it. */
  readonly isLacking: boolean;
}

const LOCK_FILE = 'pipeline.lock';

/**
 * Every pipeline.lock of some commits, each content once a path. Folders and files that commits share are read once, and
 * git is asked once a depth, not once a commit.
 */
export function locksOf(repository: Repository, commits: readonly CommitId[]): RevisionLock[] {
  const idLength = (commits[0]?.length ?? 40) / 2;
  const blobs = new Map<string, { file: ProjectPath; commit: CommitId; id: string }>();
  const seen = new Set<string>();
  const unread: RevisionLock[] = [];
  let level = commits.map((commit) => ({
    id: `${commit}:${repository.prefix}`,
    folder: ROOT as ProjectPath,
    commit,
  }));
  while (level.length > 0) {
    const trees = repository.read(level.map(({ id }) => id));
    const parsed = new Map<string, readonly GitEntry[]>();
    const next: typeof level = [];
    for (const { id, folder, commit } of level) {
      const bytes = trees.get(id);
      if (bytes === undefined) {
        // The project's own folder need not be there at every commit; what a commit names must be.
        const mayLack = folder === ROOT && repository.prefix !== '';
        if (!mayLack) unread.push({ file: joinPath(folder, LOCK_FILE), commit, lock: undefined, isLacking: true });
        continue;
      }
      const entries = parsed.get(id) ?? parseGitTree(bytes, idLength);
      parsed.set(id, entries);
      for (const entry of entries) {
        const path = joinPath(folder, entry.name);
        const key = `${path}\0${entry.id}`;
        if (entry.kind === 'other' || seen.has(key)) continue;
        if (entry.kind === 'folder') {
          seen.add(key);
          next.push({ id: entry.id, folder: path, commit });
        } else if (entry.name === LOCK_FILE) {
          seen.add(key);
          blobs.set(key, { file: path, commit, id: entry.id });
        }
      }
    }
    level = next;
  }
  const texts = repository.read([...blobs.values()].map(({ id }) => id));
  const found = [...blobs.values()].map(({ file, commit, id }) => {
    const text = texts.get(id);
    const parsed = text === undefined ? undefined : parseLock(text.toString('utf8'), file);
    return { file, commit, lock: parsed?.ok === true ? parsed.value : undefined, isLacking: text === undefined };
  });
  return [...found, ...unread];
}
