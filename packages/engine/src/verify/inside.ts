import { type Artifact, FailureError } from '@dag/model';
import type { Store } from '@dag/store';

/**
 * What a folder holds at a path inside it, by the listings that the cache has.
 * @param inside `/`-separated, not empty.
 * @returns undefined where there is nothing, or a symlink; `unknown` where the cache lacks a listing on the way.
 */
export function artifactInside(
  store: Pick<Store, 'readTree'>,
  folder: Artifact,
  inside: string,
): Artifact | undefined | 'unknown' {
  let at: Artifact = folder;
  try {
    for (const name of inside.split('/')) {
      if (at.kind !== 'folder') return undefined;
      const entry = store.readTree(at.digest).find((child) => child.name === name);
      if (entry === undefined || entry.kind === 'symlink') return undefined;
      at = entry;
    }
  } catch (error) {
    if (error instanceof FailureError) return 'unknown';
    throw error;
  }
  return at;
}
