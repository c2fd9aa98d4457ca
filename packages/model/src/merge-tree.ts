import type { Artifact } from './artifact.ts';
import type { Digest } from './digest.ts';
import { encodeTree, type TreeEntry } from './tree.ts';

/** The folders that two sides made of one, and where trees are read and written. */
export interface TreeSides {
  /** What both began with; undefined where there was no folder. */
  readonly base: Digest | undefined;
  readonly ours: Digest;
  readonly theirs: Digest;
  /** Reads a tree; what it throws is the caller's. */
  readonly read: (tree: Digest) => readonly TreeEntry[];
  /** Keeps a tree's bytes. */
  readonly put: (bytes: Uint8Array) => Digest;
}

/** A folder that two sides changed, merged; or the paths in it that each of them changed in its own way. */
export type MergedTree =
  | { readonly artifact: Extract<Artifact, { readonly kind: 'folder' }> }
  | { readonly conflicts: readonly string[] };

/**
 * Merges two versions of a folder, name by name, as git does with paths: what only one side added, changed or deleted is
 * taken from it. A name that both changed, differently, is a conflict, unless it is a folder on both sides.
 */
export function mergeTree(sides: TreeSides): MergedTree {
  const { base, read, put } = sides;
  const entriesOf = (tree: Digest | undefined): Entries =>
    new Map((tree === undefined ? [] : read(tree)).map((entry) => [entry.name, entry]));
  const [before, ours, theirs] = [entriesOf(base), entriesOf(sides.ours), entriesOf(sides.theirs)];
  const merged: TreeEntry[] = [];
  const conflicts: string[] = [];
  for (const name of new Set([...ours.keys(), ...theirs.keys()])) {
    const [was, mine, yours] = [before.get(name), ours.get(name), theirs.get(name)];
    if (isSame(mine, yours) || isSame(yours, was)) {
      if (mine !== undefined) merged.push(mine);
    } else if (isSame(mine, was)) {
      if (yours !== undefined) merged.push(yours);
    } else if (mine?.kind === 'folder' && yours?.kind === 'folder') {
      const inner = mergeTree({
        base: was?.kind === 'folder' ? was.digest : undefined,
        ours: mine.digest,
        theirs: yours.digest,
        read,
        put,
      });
      if ('artifact' in inner) merged.push({ ...inner.artifact, name });
      else conflicts.push(...inner.conflicts.map((path) => `${name}/${path}`));
    } else {
      conflicts.push(name);
    }
  }
  if (conflicts.length > 0) return { conflicts };
  const size = sum(merged, (entry) => (entry.kind === 'symlink' ? 0 : entry.size));
  const files = sum(merged, (entry) => (entry.kind === 'folder' ? entry.files : entry.kind === 'file' ? 1 : 0));
  return { artifact: { kind: 'folder', digest: put(encodeTree(merged)), size, files } };
}

type Entries = ReadonlyMap<string, TreeEntry>;

/** Also of two that are not there. */
function isSame(a: TreeEntry | undefined, b: TreeEntry | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.kind === 'symlink' || b.kind === 'symlink')
    return a.kind === b.kind && 'target' in b && 'target' in a && a.target === b.target;
  if (a.kind !== b.kind || a.digest !== b.digest) return false;
  return a.kind === 'folder' || (b.kind === 'file' && a.executable === b.executable);
}

function sum(entries: readonly TreeEntry[], of: (entry: TreeEntry) => number): number {
  return entries.reduce((total, entry) => total + of(entry), 0);
}
