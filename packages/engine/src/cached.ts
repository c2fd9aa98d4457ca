import type { Artifact, Digest, Fingerprint, RunRecord } from '@dag/model';
import type { Store } from '@dag/store';
import type { Cached } from './decide.ts';
import { runKey } from './run-key.ts';

/** The cache as decisions ask it. */
export function cachedIn(store: Store): Cached {
  return {
    complete: (artifact) => isComplete(store, artifact),
    runs: (fingerprint: Fingerprint): readonly RunRecord[] =>
      store.runs.find(runKey(fingerprint)).sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1)),
  };
}

/** Whether the store holds every object of an artifact. */
export function isComplete(store: Store, artifact: Artifact): boolean {
  if (!store.has(artifact.digest)) return false;
  if (artifact.kind === 'file') return true;
  const digests: Digest[] = [];
  try {
    for (const object of store.objectsOf(artifact)) digests.push(object.digest);
  } catch {
    return false;
  }
  return store.missing(digests).length === 0;
}
