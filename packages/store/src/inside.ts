import type { Artifact } from '@dag/model';
import type { Store } from './types.ts';

/**
 * What a folder holds at a path inside it, by the trees in the store.
 * @param inside `/`-separated, not empty.
 * @returns undefined where there is nothing, or a symlink.
 * @throws FailureError `objects-failed` where the store lacks a tree on the way.
 */
export function artifactInside(store: Pick<Store, 'readTree'>, folder: Artifact, inside: string): Artifact | undefined {
  let at: Artifact = folder;
  for (const name of inside.split('/')) {
    if (at.kind !== 'folder') return undefined;
    const entry = store.readTree(at.digest).find((child) => child.name === name);
    if (entry === undefined || entry.kind === 'symlink') return undefined;
    at = entry;
  }
  return at;
}
