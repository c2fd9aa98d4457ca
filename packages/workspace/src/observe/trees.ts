import { type Artifact, type Digest, encodeTree, type TreeEntry } from '@dag/model';
import { type FolderNode, innerFirst, type Standing } from './node.ts';

/**
 * Works out the digest of every folder from the facts of its files, inner ones first.
 * @param put takes each tree's bytes (storing them, or only hashing) and gives their digest.
 */
export function buildTrees(top: FolderNode, put: (bytes: Uint8Array) => Digest): void {
  for (const node of innerFirst(top)) {
    const entries = entriesOf(node);
    node.size = 0;
    node.count = 0;
    for (const entry of entries) {
      if (entry.kind === 'symlink') continue;
      node.size += entry.size;
      node.count += entry.kind === 'folder' ? entry.files : 1;
    }
    node.digest = put(encodeTree(entries));
  }
}

/** The listing of a folder whose files were scanned, in no order. */
export function entriesOf(node: FolderNode): TreeEntry[] {
  const { digests, sizes, executable } = node.facts;
  const entries: TreeEntry[] = [];
  const names = node.followed.length === 0 ? node.files : [...node.files, ...node.followed];
  for (let i = 0; i < names.length; i++) {
    entries.push({
      kind: 'file',
      name: names[i] as string,
      executable: executable[i] === true,
      size: sizes[i] as number,
      digest: digests.get(i) as Digest,
    });
  }
  for (const { name, node: inner } of node.folders) {
    if (inner.digest === undefined) throw new Error('a folder before what is inside it');
    entries.push({ kind: 'folder', name, size: inner.size, files: inner.count, digest: inner.digest });
  }
  for (const { name, target } of node.links) entries.push({ kind: 'symlink', name, target });
  return entries;
}

/** The artifact that stands at a path, once scanned (and, for a folder, once its trees are built). */
export function artifactOf(standing: Standing): Artifact | undefined {
  if (standing.kind === 'absent') return undefined;
  if (standing.kind === 'file') {
    const { digests, sizes, executable } = standing.facts;
    const digest = digests.get(0);
    if (digest === undefined) throw new Error('a file that was not scanned');
    return { kind: 'file', digest, size: sizes[0] ?? 0, executable: executable[0] === true };
  }
  const { digest, size, count } = standing.node;
  if (digest === undefined) throw new Error('a folder whose trees were not built');
  return { kind: 'folder', digest, size, files: count };
}
