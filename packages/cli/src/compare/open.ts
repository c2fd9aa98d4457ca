import fs from 'node:fs';
import { type CommitId, type Repository, revisionReader } from '@dag/git';
import {
  type AnyPath,
  type Artifact,
  absolutePath,
  byCodeUnit,
  type Digest,
  EMPTY_LOCK,
  FailureError,
  isExternal,
  isWithin,
  joinPath,
  type Lock,
  type ProjectPath,
  parentPath,
  ROOT,
  stageAddress,
} from '@dag/model';
import { loadPipeline, type Pipeline, parseLock, type SourceReader } from '@dag/pipeline';
import { artifactInside } from '@dag/store';
import type { OpenProject } from '../project/open.ts';
import { realParent } from '../project/root.ts';
import type { Content, Snapshot } from './snapshot.ts';

/** What the workspace is called among revisions. */
export const WORKSPACE = 'workspace';

/** The project as it stands. */
export function workspaceSnapshot(project: OpenProject): Snapshot {
  const { pipeline, reader } = project;
  return snapshotOf(project, {
    name: WORKSPACE,
    pipeline,
    reader,
    lock: (file) => project.locks.lock(file),
    isFolder: (path) =>
      fs.statSync(absolutePath(project.root, path), { throwIfNoEntry: false })?.isDirectory() === true,
    isFile: (path) => fs.statSync(absolutePath(project.root, path), { throwIfNoEntry: false })?.isDirectory() === false,
    prefetch: () => {},
  });
}

/**
 * The project as it stood at a commit; where it was not there yet, an empty one.
 * @param contents what is known of git's objects, to be shared by all snapshots of a comparison.
 */
export function revisionSnapshot(
  project: OpenProject,
  repository: Repository,
  { name, commit }: { readonly name: string; readonly commit: CommitId },
  contents: Map<string, Buffer>,
): Snapshot {
  const files = revisionReader(repository, commit, contents);
  const reader = { ...files, root: project.root, real: realParent };
  const isThere = reader.read('pipeline.yaml' as ProjectPath) !== undefined;
  const { pipeline, diagnostics } = isThere ? loadPipeline(reader) : { pipeline: undefined, diagnostics: [] };
  const [first] = diagnostics;
  return snapshotOf(project, {
    name,
    pipeline,
    reader,
    lock: (file) => {
      const lockFile = joinPath(parentPath(file), 'pipeline.lock');
      const text = reader.read(lockFile);
      const parsed = text === undefined ? undefined : parseLock(Buffer.from(text).toString('utf8'), lockFile);
      // One that is damaged at the commit names nothing.
      return parsed?.ok === true ? parsed.value : EMPTY_LOCK;
    },
    isFolder: (path) => files.kind(path) === 'folder',
    isFile: (path) => files.kind(path) === 'file',
    prefetch: files.prefetch,
    ...(first === undefined ? {} : { problem: `${first.file}: ${first.message}` }),
  });
}

const MISSING: Content = { kind: 'missing' };

interface Parts {
  readonly name: string;
  readonly pipeline: Pipeline | undefined;
  readonly problem?: string;
  readonly reader: SourceReader;
  lock(file: ProjectPath): Lock;
  isFolder(path: ProjectPath): boolean;
  isFile(path: ProjectPath): boolean;
  prefetch(paths: Iterable<AnyPath>): void;
}

function snapshotOf(project: OpenProject, { lock, reader, isFolder, isFile, ...parts }: Parts): Snapshot {
  let known: ReadonlyMap<ProjectPath, Artifact> | undefined;
  const locked = (): ReadonlyMap<ProjectPath, Artifact> => {
    known ??= lockedPaths((parts.pipeline?.files ?? []).map(lock));
    return known;
  };
  const recordedAt = (path: AnyPath): Recorded | undefined =>
    isExternal(path) ? undefined : recordedOf(project, locked(), path);
  const filesIn = (folder: AnyPath): AnyPath[] =>
    reader.list(folder).flatMap(({ name, kind }) => {
      const inner = joinPath(folder, name);
      return kind === 'folder' ? filesIn(inner) : [inner];
    });
  return {
    ...parts,
    lockedStages: () =>
      new Map(
        (parts.pipeline?.files ?? []).flatMap((file) =>
          Array.from(lock(file).stages, ([name, stage]) => [stageAddress(file, name), stage] as const),
        ),
      ),
    content(path): Content {
      const bytes = reader.read(path);
      if (bytes !== undefined) return { kind: 'bytes', bytes };
      const recorded = recordedAt(path);
      if (recorded === undefined || (recorded.isListed && recorded.artifact.kind === 'folder')) return MISSING;
      const { artifact, isListed } = recorded;
      const cached = isListed ? readObject(project, artifact) : undefined;
      return cached === undefined ? { kind: 'not-in-cache', artifact } : { kind: 'bytes', bytes: cached };
    },
    files(path) {
      if (isExternal(path)) return [path];
      if (isFile(path)) return [path];
      const inside = new Set(isFolder(path) ? filesIn(path) : []);
      for (const [tracked, artifact] of locked()) {
        if (tracked !== path && isWithin(path, tracked))
          for (const one of filesAt(project, tracked, artifact)) inside.add(one);
      }
      if (inside.size > 0) return [...inside].sort(byCodeUnit);
      const recorded = recordedAt(path);
      return recorded?.isListed === true ? filesAt(project, path, recorded.artifact) : [path];
    },
  };
}

function lockedPaths(locks: readonly Lock[]): Map<ProjectPath, Artifact> {
  const paths = new Map<ProjectPath, Artifact>();
  const add = (path: AnyPath, artifact: Artifact): void => {
    if (!isExternal(path)) paths.set(path, artifact);
  };
  for (const { data, stages } of locks) {
    for (const [path, artifact] of data) add(path, artifact);
    for (const { outs } of stages.values()) for (const [path, artifact] of outs) add(path, artifact);
  }
  return paths;
}

/** What the locks say of a path. */
interface Recorded {
  /** What is there; the folder that holds it where the cache lacks the folder's listing. */
  readonly artifact: Artifact;
  readonly isListed: boolean;
}

function recordedOf(
  project: OpenProject,
  locked: ReadonlyMap<ProjectPath, Artifact>,
  path: ProjectPath,
): Recorded | undefined {
  for (let at = path; at !== ROOT; at = parentPath(at)) {
    const artifact = locked.get(at);
    if (artifact === undefined) continue;
    if (at === path) return { artifact, isListed: true };
    const inside = unlessLacking(() => ({ found: artifactInside(project.store, artifact, path.slice(at.length + 1)) }));
    if (inside === undefined) return { artifact, isListed: false };
    return inside.found === undefined ? undefined : { artifact: inside.found, isListed: true };
  }
  return undefined;
}

/** The files of something tracked, sorted. */
function filesAt(project: OpenProject, path: ProjectPath, artifact: Artifact): ProjectPath[] {
  return artifact.kind === 'file' ? [path] : filesOfTree(project, path, artifact.digest).sort(byCodeUnit);
}

function filesOfTree(project: OpenProject, path: ProjectPath, digest: Digest): ProjectPath[] {
  const entries = unlessLacking(() => project.store.readTree(digest));
  // Nobody knows what is inside: the folder stands for it.
  if (entries === undefined) return [path];
  return entries.flatMap((entry) => {
    const inner = joinPath(path, entry.name);
    return entry.kind === 'folder' ? filesOfTree(project, inner, entry.digest) : [inner];
  });
}

function readObject({ store }: OpenProject, { digest }: Artifact): Uint8Array | undefined {
  return unlessLacking(() => (store.has(digest) ? store.read(digest) : undefined));
}

/** What is read from the cache; undefined where it lacks an object, or has it damaged. */
function unlessLacking<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof FailureError && error.failure.code === 'objects-failed') return undefined;
    throw error;
  }
}
