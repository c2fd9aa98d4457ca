import { type Artifact, FailureError } from '@dag/model';
import { artifactInside, type Store } from '@dag/store';

/** What a folder holds at a path inside it (see `artifactInside`); `unknown` where the cache lacks a listing on the way. */
export function knownInside(
  store: Pick<Store, 'readTree'>,
  folder: Artifact,
  inside: string,
): Artifact | undefined | 'unknown' {
  try {
    return artifactInside(store, folder, inside);
  } catch (error) {
    if (error instanceof FailureError) return 'unknown';
    throw error;
  }
}
