import type { Fingerprint, RunRecord } from '@dag/model';
import type { Store } from '@dag/store';
import type { Cached } from './decide.ts';
import { runKey } from './run-key.ts';

/** The cache as decisions ask it. */
export function cachedIn(store: Store): Cached {
  return {
    complete: (artifact) => store.isComplete(artifact),
    runs: (fingerprint: Fingerprint): readonly RunRecord[] =>
      store.runs.find(runKey(fingerprint)).sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1)),
  };
}
