import { type Digest, FailureError, type TreeEntry } from '@dag/model';
import type { Store } from '@dag/store';
import type { Root } from '../remote.ts';

/** A file object: its size in bytes, and one path by which the user knows it. */
export interface FileObject {
  readonly size: number;
  readonly path: string;
}

export interface TreeObject {
  readonly digest: Digest;
  readonly path: string;
  /** Files and trees that it names. */
  readonly children: readonly Digest[];
  /** 0 for a tree that names no tree, else one more than the highest that it names. */
  readonly height: number;
}

/** All objects of some artifacts, each once. */
export interface Inventory {
  readonly files: ReadonlyMap<Digest, FileObject>;
  /** Each after those that it names. */
  readonly trees: readonly TreeObject[];
  /** Trees that the store does not have or that are damaged in it, by path: what they name is not known. */
  readonly unknown: ReadonlyMap<Digest, FileObject>;
}

/** Path of a name in a folder. */
export function under(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

/** Walks artifacts in the local store. Each tree is read once, however often and deep it stands in them. */
export function takeInventory(store: Store, roots: readonly Root[]): Inventory {
  const files = new Map<Digest, FileObject>();
  const unknown = new Map<Digest, FileObject>();
  const trees: TreeObject[] = [];
  const heights = new Map<Digest, number>();

  const enter = (digest: Digest, path: string): Frame | undefined => {
    if (heights.has(digest) || unknown.has(digest)) return undefined;
    heights.set(digest, 0);
    try {
      return { digest, path, entries: store.readTree(digest), next: 0 };
    } catch (error) {
      if (!(error instanceof FailureError) || error.failure.code !== 'objects-failed') throw error;
      heights.delete(digest);
      unknown.set(digest, { size: 0, path });
      return undefined;
    }
  };
  for (const { path, artifact } of roots) {
    if (artifact.kind === 'file') {
      files.set(artifact.digest, { size: artifact.size, path });
      continue;
    }
    const stack: Frame[] = [];
    const first = enter(artifact.digest, path);
    if (first !== undefined) stack.push(first);
    for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
      const entry = frame.entries[frame.next++];
      if (entry === undefined) {
        stack.pop();
        trees.push(finish(frame, heights));
      } else if (entry.kind === 'file') {
        if (!files.has(entry.digest))
          files.set(entry.digest, { size: entry.size, path: under(frame.path, entry.name) });
      } else if (entry.kind === 'folder') {
        const below = enter(entry.digest, under(frame.path, entry.name));
        if (below !== undefined) stack.push(below);
      }
    }
  }
  return { files, trees, unknown };
}

interface Frame {
  readonly digest: Digest;
  readonly path: string;
  readonly entries: readonly TreeEntry[];
  next: number;
}

function finish(frame: Frame, heights: Map<Digest, number>): TreeObject {
  const children: Digest[] = [];
  let height = 0;
  for (const entry of frame.entries) {
    if (entry.kind === 'symlink') continue;
    children.push(entry.digest);
    if (entry.kind === 'folder') height = Math.max(height, (heights.get(entry.digest) ?? 0) + 1);
  }
  heights.set(frame.digest, height);
  return { digest: frame.digest, path: frame.path, children, height };
}
