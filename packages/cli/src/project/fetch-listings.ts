import { type Artifact, FailureError, type ProjectPath } from '@dag/model';
import type { Context } from '../verb.ts';
import type { OpenProject } from './open.ts';
import { openRemotes, remotesOf } from './remotes.ts';
import { allTracked } from './tracked.ts';

/** A version of a tracked folder. */
export interface FolderVersion {
  readonly path: ProjectPath;
  readonly artifact: Artifact;
}

/** How long git is kept waiting for listings, in milliseconds: it may be another's server that does not answer. */
const PATIENCE_MS = 60_000;

/** Brings listings of folders into the cache, and none of the files that they name, as far as remotes have them. Never rejects. */
export async function fetchListings(
  context: Context,
  project: OpenProject,
  versions: readonly FolderVersion[],
): Promise<void> {
  const tracked = new Map(allTracked(project).map((one) => [one.path as string, one]));
  const remotes = openRemotes(project, context);
  const signal = AbortSignal.any([context.stop, AbortSignal.timeout(PATIENCE_MS)]);
  try {
    for (const { path, artifact } of versions) {
      for (const name of remotesOf(project, context, tracked.get(path) ?? { remote: undefined }, undefined)) {
        const request = { roots: [{ path, artifact }], listings: true };
        if (await triedIn(name, request)) break;
      }
    }
  } finally {
    await remotes.close();
  }

  /** @returns whether the remote has all of them. */
  async function triedIn(name: string, request: { roots: FolderVersion[]; listings: boolean }): Promise<boolean> {
    try {
      const remote = await remotes.get(name);
      return (await remote.fetch(request, project.store, { signal })).failed.length === 0;
    } catch (error) {
      if (error instanceof FailureError || signal.aborted) return false;
      throw error;
    }
  }
}
