import type { Artifact, Digest, ObjectFailure, TreeEntry } from '@dag/model';
import { FailureError } from '@dag/model';
import type { ArtifactObject, Store } from './types.ts';

/** The objects of an artifact, each digest once: a tree before what is inside. See `Store.objectsOf`. */
export function* objectsOf(
  store: Pick<Store, 'readTree' | 'size'>,
  artifact: Artifact,
  onMissingTree?: (failure: ObjectFailure) => void,
): Iterable<ArtifactObject> {
  if (artifact.kind === 'file') {
    yield { digest: artifact.digest, size: artifact.size, kind: 'file', path: '' };
    return;
  }
  const seen = new Set<Digest>();
  const waiting: { digest: Digest; path: string }[] = [{ digest: artifact.digest, path: '' }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { digest, path } = next;
    if (seen.has(digest)) continue;
    seen.add(digest);
    yield { digest, size: store.size(digest), kind: 'tree', path };
    for (const entry of entriesOf(store, digest, path, onMissingTree)) {
      if (entry.kind === 'symlink') continue;
      const inner = path === '' ? entry.name : `${path}/${entry.name}`;
      if (entry.kind === 'folder') {
        waiting.push({ digest: entry.digest, path: inner });
      } else if (!seen.has(entry.digest)) {
        seen.add(entry.digest);
        yield { digest: entry.digest, size: entry.size, kind: 'file', path: inner };
      }
    }
  }
}

function entriesOf(
  store: Pick<Store, 'readTree'>,
  digest: Digest,
  path: string,
  onMissingTree: ((failure: ObjectFailure) => void) | undefined,
): readonly TreeEntry[] {
  try {
    return store.readTree(digest);
  } catch (error) {
    if (!(error instanceof FailureError) || error.failure.code !== 'objects-failed') throw error;
    const reason = error.failure.failed[0]?.reason ?? error.message;
    onMissingTree?.({ path, digest, reason });
    return [];
  }
}
