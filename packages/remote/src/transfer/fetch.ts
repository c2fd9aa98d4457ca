import { type Digest, decodeTree, FailureError, type ObjectFailure, type TreeEntry } from '@dag/model';
import type { Store } from '@dag/store';
import type { FetchRequest, TransferReport } from '../remote.ts';
import { countProgress } from './progress.ts';
import { createReceiver, readVerified } from './receive.ts';
import type { Session } from './session.ts';
import { type FileObject, under } from './walk.ts';

/** No folder's listing is larger, in bytes; about two million names in one folder. */
const TREE_LIMIT = 256 * 1024 * 1024;

/** A tree to look into, or a part of it. */
interface Visit {
  readonly digest: Digest;
  readonly path: string;
  /** Only this inside it; undefined for all. */
  readonly inside: string | undefined;
}

/**
 * Brings what the store lacks: trees level by level, to know what is inside, then files. The trees enter the store last,
 * those of one fetch at once, so that a tree without its files is found in the store only where some can't be had.
 */
export async function fetch(session: Session, store: Store, request: FetchRequest): Promise<TransferReport> {
  const failed: ObjectFailure[] = [];
  const fail = (digest: Digest, path: string, reason: string) => {
    const failure = { path, digest, reason };
    failed.push(failure);
    session.emit({ kind: 'failed', failure });
  };
  const progress = countProgress(session.emit);
  const files = new Map<Digest, FileObject>();
  const fetchedTrees = new Map<Digest, Uint8Array>();

  const readTree = async ({ digest, path }: Visit): Promise<TreeEntry[]> => {
    const known = fetchedTrees.get(digest);
    if (known !== undefined) return decoded(known) ?? [];
    const local = localTree(store, digest);
    if (local !== undefined) return local;
    const bytes = await readVerified(session, digest, { atMost: TREE_LIMIT });
    if (!(bytes instanceof Uint8Array)) {
      fail(digest, path, bytes.reason);
      return [];
    }
    const entries = decoded(bytes);
    if (entries === undefined) {
      fail(digest, path, "not a folder's listing, though its digest is right");
      return [];
    }
    progress.add(1, bytes.length);
    fetchedTrees.set(digest, bytes);
    progress.begin(bytes.length).end(true);
    return entries;
  };

  const seen = new Set<string>();
  let level: Visit[] = [];
  const visit = (next: Visit, into: Visit[]) => {
    const mark = `${next.digest} ${next.inside ?? ''}`;
    if (seen.has(mark) || seen.has(`${next.digest} `)) return;
    seen.add(mark);
    into.push(next);
  };
  const want = (digest: Digest, size: number, path: string) => {
    if (!files.has(digest)) files.set(digest, { size, path });
  };
  for (const { path, artifact, inside } of request.roots) {
    if (artifact.kind === 'file') want(artifact.digest, artifact.size, path);
    else visit({ digest: artifact.digest, path, inside: inside === '' ? undefined : inside }, level);
  }
  while (level.length > 0) {
    const below: Visit[] = [];
    await session.forEach(level, async (tree) => {
      const head = tree.inside?.split('/', 1)[0];
      const rest = head === undefined ? undefined : tree.inside?.slice(head.length + 1);
      for (const entry of await readTree(tree)) {
        if (entry.kind === 'symlink' || (head !== undefined && entry.name !== head)) continue;
        const path = under(tree.path, entry.name);
        if (entry.kind === 'file') want(entry.digest, entry.size, path);
        else visit({ digest: entry.digest, path, inside: rest === '' ? undefined : rest }, below);
      }
    });
    level = below;
  }

  const missing = store.missing(files.keys());
  progress.add(
    missing.length,
    missing.reduce((sum, digest) => sum + (files.get(digest)?.size ?? 0), 0),
  );
  const receiver = createReceiver(session, store);
  try {
    await session.forEach(missing, async (digest) => {
      const { size, path } = files.get(digest) ?? { size: 0, path: '' };
      const one = progress.begin(size);
      const refusal = await receiver.receive(digest, size, one);
      one.end(refusal === undefined);
      if (refusal !== undefined) fail(digest, path, refusal.reason);
    });
  } finally {
    // Also when the whole fails or is broken off: the next try goes on from here.
    await receiver.finish();
  }
  await storeTrees(store, fetchedTrees);
  return { ...progress.moved(), failed };
}

async function storeTrees(store: Store, trees: ReadonlyMap<Digest, Uint8Array>): Promise<void> {
  if (trees.size === 0) return;
  const batch = store.writeBatch();
  for (const [digest, bytes] of trees) batch.put(bytes, digest);
  await batch.commit();
}

/** A tree that the store has whole; a damaged one is as good as none. */
function localTree(store: Store, digest: Digest): TreeEntry[] | undefined {
  if (!store.has(digest)) return undefined;
  try {
    return store.readTree(digest);
  } catch (error) {
    if (error instanceof FailureError && error.failure.code === 'objects-failed') return undefined;
    throw error;
  }
}

function decoded(bytes: Uint8Array): TreeEntry[] | undefined {
  const result = decodeTree(bytes);
  return result.ok ? result.value : undefined;
}
