import { type Digest, FailureError, type TreeEntry } from '@dag/model';
import type { Store } from '@dag/store';
import { KIND } from '../format/entry.ts';
import { TREE_LIMIT } from '../format/limits.ts';
import type { Catalog } from '../index/catalog.ts';
import type { Place } from '../index/object.ts';
import { readEntries, type Want } from './read-entries.ts';
import { matches, placesOf, readLists, readPieces } from './read-objects.ts';
import type { Session } from './session.ts';
import { MISMATCH, NOWHERE } from './words.ts';

/** Reads trees from the remote; `take` gets what is whole, `fail` is told of the rest. */
export async function readTrees(
  session: Session,
  catalog: Catalog,
  digests: Iterable<Digest>,
  take: (digest: Digest, content: Uint8Array) => void,
  fail: (digest: Digest, reason: string) => void,
): Promise<void> {
  const small: Want[] = [];
  const large: { digest: Digest; size: number; places: Place[]; refuse: (reason: string) => void }[] = [];
  for (const digest of digests) {
    const places = placesOf(catalog, digest);
    const refuse = (reason: string) => fail(digest, reason);
    const [first] = places;
    if (first === undefined) refuse(NOWHERE);
    else if (first.size > TREE_LIMIT) {
      refuse(`not believable: a folder's listing of ${first.size} bytes, where at most ${TREE_LIMIT} are read`);
    } else if (first.kind === KIND.bytes) {
      small.push({ places, check: matches(digest), take: (content) => take(digest, content), refuse });
    } else {
      large.push({ digest, size: first.size, places, refuse });
    }
  }
  await readEntries(session, small);
  for (const [{ digest, refuse }, pieces] of await readLists(session, catalog, large)) {
    const content = await readPieces(session, catalog, pieces, refuse);
    if (content === undefined) continue;
    if (matches(digest)(content)) take(digest, content);
    else refuse(MISMATCH);
  }
}

/** A tree that the store has whole; a damaged one is as good as none. */
export function localTree(store: Store, digest: Digest): TreeEntry[] | undefined {
  if (!store.has(digest)) return undefined;
  try {
    return store.readTree(digest);
  } catch (error) {
    if (error instanceof FailureError && error.failure.code === 'objects-failed') return undefined;
    throw error;
  }
}
