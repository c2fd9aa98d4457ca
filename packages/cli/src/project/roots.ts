import fs from 'node:fs';
import path from 'node:path';
import { type CommitId, locksOf, openRepository, type Repository } from '@dag/git';
import {
  type Artifact,
  type Digest,
  FailureError,
  type Lock,
  type ObjectFailure,
  type ProjectPath,
  parentPath,
  type RunRecord,
  type TreeEntry,
} from '@dag/model';
import { parseLock } from '@dag/pipeline';
import type { Store } from '@dag/store';
import { workspaceReader } from './files.ts';

/** Something that a lock or a run record names, as the user knows it. */
export interface Root {
  readonly path: string;
  readonly artifact: Artifact;
  /** Who names it: a commit in short, a run, another project; undefined for the workspace. */
  readonly from?: string;
}

/** Which revisions count, beside the workspace. */
export interface Revisions {
  readonly branches?: boolean;
  readonly tags?: boolean;
  readonly commits?: boolean;
  /** So many back from HEAD. */
  readonly back?: number;
  readonly since?: Date;
}

type Env = Readonly<Record<string, string | undefined>>;

/** What the locks of a project's workspace name, read now. Throws a FailureError where one is damaged. */
export function workspaceRoots(root: string, files: readonly ProjectPath[]): Root[] {
  const reader = workspaceReader(root);
  return files.flatMap((file) => {
    const lockFile = (parentPath(file) === '' ? 'pipeline.lock' : `${parentPath(file)}/pipeline.lock`) as ProjectPath;
    const bytes = reader.read(lockFile);
    if (bytes === undefined) return [];
    const parsed = parseLock(Buffer.from(bytes).toString('utf8'), lockFile);
    if (!parsed.ok) throw new FailureError({ code: 'invalid-pipeline', diagnostics: parsed.error });
    return lockRoots(parsed.value);
  });
}

/** The repository that a project lies in; a failure where revisions are asked for and there is none. */
export function repositoryOf(root: string, env: Env): Repository {
  const repository = openRepository(root, env);
  if (repository !== undefined) return repository;
  throw new FailureError({
    code: 'usage',
    message: `${root} is in no git repository, so it has no revisions`,
    hint: "make one with 'git init'",
  });
}

/** The commit that a revision names. @throws FailureError `usage` where there is none such. */
export function requireCommit(repository: Repository, name: string): CommitId {
  const commit = repository.commitOf(name);
  if (commit !== undefined) return commit;
  if (repository.cutAt().size > 0) {
    throw new FailureError({
      code: 'usage',
      message: `there is no revision '${name}' in this clone, which is shallow`,
      hint: "'git fetch --unshallow' brings the rest of its history, 'git fetch --deepen=N' N commits more",
    });
  }
  throw new FailureError({
    code: 'usage',
    message: `there is no revision '${name}'`,
    hint: /.\.\../.test(name)
      ? `two revisions are two words: '${name.replace(/\.{2,3}/, ' ')}'`
      : 'a branch, a tag, or a commit as git names it, such as HEAD~1',
  });
}

/** The commits that revisions mean, each once. */
export function commitsOf(repository: Repository, revisions: Revisions): CommitId[] {
  const commits = new Set<CommitId>();
  const add = (some: readonly CommitId[]): void => {
    for (const commit of some) commits.add(commit);
  };
  if (revisions.back !== undefined) add(repository.back(revisions.back));
  if (revisions.branches === true) add(repository.branches());
  if (revisions.tags === true) add(repository.tags());
  if (revisions.since !== undefined) add(repository.commits(revisions.since));
  if (revisions.commits === true) add(repository.commits());
  return [...commits];
}

/** A commit at which the history ends that these revisions reach into, because the clone was made without the rest. */
export function historyEnd(repository: Repository, revisions: Revisions): CommitId | undefined {
  const cut = repository.cutAt();
  if (cut.size === 0) return undefined;
  const { commits, since, back = 0 } = revisions;
  const line = repository.back(back);
  // Behind a commit that is too old all are, but for wrong clocks.
  const reached = commits === true ? [...cut] : since === undefined ? [] : repository.commits(since);
  return [...reached, ...(line.length < back ? line : [])].find((commit) => cut.has(commit));
}

/** What pipeline.lock files name that are committed and, in a sparse work tree, not there. */
export function sparseRoots(root: string, repository: Repository): Root[] {
  const head = repository.commitOf('HEAD');
  if (head === undefined || !repository.isSparse()) return [];
  return locksOf(repository, [head]).flatMap(({ file, lock }) =>
    lock === undefined || fs.existsSync(path.join(root, file)) ? [] : lockRoots(lock, 'not checked out'),
  );
}

/**
 * What the locks of revisions name. @throws FailureError `refused` for a lock that is damaged at one of them, and where the
 * clone lacks some of them.
 */
export function revisionRoots(repository: Repository, revisions: Revisions): Root[] {
  const end = historyEnd(repository, revisions);
  if (end !== undefined) {
    throw new FailureError({
      code: 'refused',
      message: `this clone is shallow: what the commits before ${end.slice(0, 7)} need can't be told, and would be removed`,
      hint: "'git fetch --unshallow' brings them; a scope of -w, -a or -T does without them",
    });
  }
  return locksOf(repository, commitsOf(repository, revisions)).flatMap(({ lock, commit, file }) => {
    if (lock !== undefined) return lockRoots(lock, commit.slice(0, 7));
    throw new FailureError({
      code: 'refused',
      message: `${file} of commit ${commit.slice(0, 7)} is no lock that can be read: what that commit needs can't be told`,
      hint: 'choose a scope without that commit: what it uses might be removed',
    });
  });
}

/** What the locks of all commits name, for telling what an object was: what can't be read names nothing. */
export function historyRoots(root: string, env: Env): Root[] {
  try {
    const repository = openRepository(root, env);
    if (repository === undefined) return [];
    return locksOf(repository, repository.commits()).flatMap(({ lock, commit }) =>
      lock === undefined ? [] : lockRoots(lock, commit.slice(0, 7)),
    );
  } catch (error) {
    if (error instanceof FailureError) return [];
    throw error;
  }
}

/** What a run record names. */
export function recordRoots(record: RunRecord): Root[] {
  const from = `a run of ${record.stage}, ${record.startedAt.slice(0, 10)}`;
  return [...record.outs].map(([path, artifact]) => ({ path, artifact, from }));
}

/**
 * All objects that roots name, added to `live`. Folders that are there already are not looked into again.
 * @returns the trees that the cache lacks: what is inside them can't be told.
 */
export function markLive(store: Store, roots: readonly Root[], live: Set<Digest>): ObjectFailure[] {
  const missing: ObjectFailure[] = [];
  // Not folders: one that is live counts as looked into, and gets there when it is.
  const markFile = (_path: string, { digest, kind }: ContentEntry): void => {
    if (kind === 'file') live.add(digest);
  };
  for (const { path, artifact } of roots) {
    if (artifact.kind === 'file') live.add(artifact.digest);
    else walkTrees(store, { path, digest: artifact.digest }, live, markFile, missing);
  }
  return missing;
}

/** Where an object is used. */
export interface Use {
  readonly path: string;
  readonly from?: string;
  readonly kind: 'file' | 'folder';
  /** Bytes of a file. */
  readonly size?: number;
}

/**
 * The paths under which the user knows some objects. Earlier roots win; of one root, each path.
 * @returns nothing for an object that no root names.
 */
export function namesOf(store: Store, roots: readonly Root[], wanted: ReadonlySet<Digest>): Map<Digest, Use[]> {
  const uses = new Map<Digest, Use[]>();
  const seen = new Set<Digest>();
  const note = (digest: Digest, use: Use): void => {
    if (!wanted.has(digest)) return;
    const known = uses.get(digest);
    if (known === undefined) uses.set(digest, [use]);
    else if (known.every((other) => other.path !== use.path) && known[0]?.from === use.from) known.push(use);
  };
  for (const { path, artifact, from } of roots) {
    const where = from === undefined ? {} : { from };
    const { kind, digest, size } = artifact;
    note(digest, { path, kind, size, ...where });
    if (kind === 'file') continue;
    walkTrees(store, { path, digest: artifact.digest }, seen, (inner, entry) => {
      note(entry.digest, { path: inner, kind: entry.kind, size: entry.size, ...where });
    });
  }
  return uses;
}

export function lockRoots(lock: Lock, from?: string): Root[] {
  const roots = [...lock.data, ...[...lock.stages.values()].flatMap((stage) => [...stage.outs])];
  return roots.map(([path, artifact]) => ({ path, artifact, ...(from === undefined ? {} : { from }) }));
}

/** A name in a folder that stands for an object. */
type ContentEntry = Exclude<TreeEntry, { kind: 'symlink' }>;

/** Visits all names below a folder; a tree that is in `seen` is not looked into. */
function walkTrees(
  store: Store,
  top: { readonly path: string; readonly digest: Digest },
  seen: Set<Digest>,
  visit: (path: string, entry: ContentEntry) => void,
  missing?: ObjectFailure[],
): void {
  const waiting = [top];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (seen.has(next.digest)) continue;
    seen.add(next.digest);
    try {
      for (const entry of store.readTree(next.digest)) {
        if (entry.kind === 'symlink') continue;
        const path = `${next.path}/${entry.name}`;
        if (entry.kind === 'folder') waiting.push({ path, digest: entry.digest });
        if (entry.kind === 'file' || !seen.has(entry.digest)) visit(path, entry);
      }
    } catch (error) {
      if (!(error instanceof FailureError) || error.failure.code !== 'objects-failed') throw error;
      missing?.push({ path: next.path, digest: next.digest, reason: 'not in the cache' });
    }
  }
}
