import { type CommitId, type Repository, revisionReader } from '@dag/git';
import { type AnyPath, type Artifact, digestHex, insideOuts, type ProjectPath, parentPath } from '@dag/model';
import { loadPipeline, parseLock } from '@dag/pipeline';
import { realParent } from './root.ts';
import { commitsOf, type Revisions } from './roots.ts';

/** Something that was tracked at a revision, with what the lock said of it. */
export interface TrackedThen {
  readonly path: ProjectPath;
  readonly artifact: Artifact;
  readonly push: boolean;
  readonly remote: string | undefined;
  /** Whether a pipeline.yaml of then named it too; true where those could not be read. */
  readonly declared: boolean;
}

/** What the locks of a commit name, but for outs that were not to be cached. A lock that is damaged there names nothing. */
export function trackedAt(repository: Repository, commit: CommitId, root: string): TrackedThen[] {
  const reader = { ...revisionReader(repository, commit), root, real: realParent };
  const { pipeline } = loadPipeline(reader);
  const tracked = new Map<ProjectPath, TrackedThen>();
  const flags = new Map<
    AnyPath,
    { readonly push: boolean; readonly remote?: string | undefined; readonly cache?: boolean }
  >();
  for (const data of pipeline?.data ?? []) flags.set(data.path, data);
  for (const stage of pipeline?.stages.values() ?? []) for (const out of stage.outs) flags.set(out.path, out);
  const add = (path: ProjectPath, artifact: Artifact): void => {
    const { push = true, remote, cache = true } = flags.get(path) ?? {};
    const declared = pipeline === undefined || flags.has(path);
    if (cache) tracked.set(path, { path, artifact, push, remote, declared });
  };
  for (const file of pipeline?.files ?? ['pipeline.yaml' as ProjectPath]) {
    const folder = parentPath(file);
    const lockFile = (folder === '' ? 'pipeline.lock' : `${folder}/pipeline.lock`) as ProjectPath;
    const parsed = parseLock(Buffer.from(reader.read(lockFile) ?? []).toString('utf8'), lockFile);
    if (!parsed.ok) continue;
    for (const [at, artifact] of parsed.value.data) add(at, artifact);
    for (const stage of parsed.value.stages.values()) {
      for (const [at, artifact] of insideOuts(stage.outs)) add(at, artifact);
    }
  }
  return [...tracked.values()];
}

/** What was tracked at any of some revisions, each content of a path once. */
export function trackedThen(repository: Repository, revisions: Revisions, root: string): TrackedThen[] {
  const found = new Map<string, TrackedThen>();
  for (const commit of commitsOf(repository, revisions)) {
    for (const one of trackedAt(repository, commit, root)) {
      found.set(`${one.path}\0${digestHex(one.artifact.digest)}`, one);
    }
  }
  return [...found.values()];
}
