import { EMPTY_LOCK, FailureError, type Lock, mergeTree, type ProjectPath } from '@dag/model';
import { type MergedLock, mergeLocks, parseLock } from '@dag/pipeline';
import { holding, type Store } from '@dag/store';
import type { Context } from '../verb.ts';
import { type FolderVersion, fetchListings } from './fetch-listings.ts';
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
  /** Folders that could not be merged, since neither the cache nor a remote has a listing of theirs. */
  readonly unlisted: ReadonlySet<ProjectPath>;
  /** Whether the project could not be opened, so that no folder was merged. */
  readonly unsound: boolean;
}

/**
 * Merges locks, and the tracked folders in them that both sides changed. Listings that the cache lacks are fetched; that of
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
  const project = await openIfSound(context);
  if (project === undefined) {
    return { ...mergeLocks(sides, file, () => undefined), inside: new Map(), unlisted: new Set(), unsound: true };
  }
  try {
    const first = await mergeWithTrees(project.store, sides, file);
    if (first.unlisted.length === 0) return { ...first, unlisted: new Set(), unsound: false };
    await fetchListings(context, project, first.unlisted);
    const { unlisted, ...second } = await mergeWithTrees(project.store, sides, file);
    return { ...second, unlisted: new Set(unlisted.map(({ path }) => path)), unsound: false };
  } finally {
    await project.close();
  }
}

/** @returns with the merged lock, the versions of folders of which the cache lacks the listing or one inside it. */
async function mergeWithTrees(store: Store, sides: Readonly<Record<keyof LockTexts, Lock>>, file: ProjectPath) {
  const inside = new Map<ProjectPath, readonly string[]>();
  const unlisted: FolderVersion[] = [];
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
        if (!(error instanceof FailureError)) throw error;
        for (const artifact of [base, ours, theirs]) {
          if (artifact?.kind === 'folder') unlisted.push({ path, artifact });
        }
      }
      return undefined;
    });
    await holding(store, () => batch.commit());
    return { ...merged, inside, unlisted };
  } catch (error) {
    batch.discard();
    throw error;
  }
}

function lockOf(text: string, file: ProjectPath): Lock {
  // A section whose entries are all on the other side of a conflict.
  const lock = parseLock(text.replace(/^(?:data|stages):\r?\n(?! )/gm, ''), file);
  if (lock.ok) return lock.value;
  throw new FailureError({ code: 'invalid-pipeline', diagnostics: lock.error });
}

/** In the midst of a merge pipeline.yaml and params may be in conflict themselves: then there is no cache to be had. */
async function openIfSound(context: Context): Promise<OpenProject | undefined> {
  try {
    return await openProject({ ...context, say: () => undefined });
  } catch (error) {
    if (error instanceof FailureError) return undefined;
    throw error;
  }
}
