import { EMPTY_LOCK, FailureError, type Lock, mergeTree, type ProjectPath } from '@dag/model';
import { type MergedLock, mergeLocks, parseLock } from '@dag/pipeline';
import { holding } from '@dag/store';
import type { Context } from '../verb.ts';
import { type OpenProject, openProject } from './open.ts';

/** Three versions of a pipeline.lock. `base` is what both sides began with, empty where that is not known. */
export interface LockTexts {
  readonly base: string;
  readonly ours: string;
  readonly theirs: string;
}

/** A lock merged from texts, and what of its tracked folders stands in the way, by path in them. */
export interface MergedTexts extends MergedLock {
  readonly inside: ReadonlyMap<ProjectPath, readonly string[]>;
}

/**
 * Merges locks, and the tracked folders in them that both sides changed, where the cache has their listings: the listing of
 * the merged folder is in the cache when this returns.
 * @param file the lock's path, from the project root.
 * @throws FailureError `invalid-pipeline` for a text that is no lock.
 */
export async function mergeLockTexts(context: Context, file: ProjectPath, texts: LockTexts): Promise<MergedTexts> {
  const sides = {
    base: texts.base.trim() === '' ? EMPTY_LOCK : lockOf(texts.base, file),
    ours: lockOf(texts.ours, file),
    theirs: lockOf(texts.theirs, file),
  };
  const inside = new Map<ProjectPath, readonly string[]>();
  const project = await openIfSound(context);
  if (project === undefined) return { ...mergeLocks(sides, file, () => undefined), inside };
  const { store } = project;
  const batch = store.writeBatch();
  try {
    const merged = mergeLocks(sides, file, (path, base, ours, theirs) => {
      if (ours.kind !== 'folder' || theirs.kind !== 'folder') return undefined;
      try {
        const tree = mergeTree({
          base: base?.kind === 'folder' ? base.digest : undefined,
          ours: ours.digest,
          theirs: theirs.digest,
          read: (digest) => store.readTree(digest),
          put: (bytes) => batch.put(bytes),
        });
        if ('artifact' in tree) return tree.artifact;
        inside.set(path, tree.conflicts);
      } catch (error) {
        // A listing that the cache has not.
        if (!(error instanceof FailureError)) throw error;
      }
      return undefined;
    });
    await holding(store, () => batch.commit());
    return { ...merged, inside };
  } catch (error) {
    batch.discard();
    throw error;
  } finally {
    await project.close();
  }
}

function lockOf(text: string, file: ProjectPath): Lock {
  // A section whose entries are all on the other side of a conflict.
  const lock = parseLock(text.replace(/^(?:data|stages):\r?\n(?! )/gm, ''), file);
  if (lock.ok) return lock.value;
  throw new FailureError({ code: 'invalid-pipeline', diagnostics: lock.error });
}

/** In the midst of a merge pipeline.yaml may be in conflict itself: then there is no cache to be had. */
async function openIfSound(context: Context): Promise<OpenProject | undefined> {
  try {
    return await openProject({ ...context, say: () => undefined });
  } catch (error) {
    if (error instanceof FailureError) return undefined;
    throw error;
  }
}
