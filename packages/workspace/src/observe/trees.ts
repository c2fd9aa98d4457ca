import { type Artifact, type Digest, encodeTree, type TreeEntry } from '@dag/model';
import { hashBytes, type StatCache } from '@dag/store';
import type { FileFacts } from './facts.ts';
import { type FolderNode, innerFirst, type Standing } from './node.ts';

/**
 * Works out the digest of every folder from the facts of its files, inner ones first. Where the stat cache knew all of a
 * folder, it knows its tree too.
 * @param put takes each tree's bytes (storing them, or only hashing) and gives their digest; and how many files are inside.
 * @param needs whether a tree must be put, though its digest is known.
 */
export function buildTrees(
  top: FolderNode,
  put: (bytes: Uint8Array, files: number) => Digest,
  needs: (tree: Digest, files: number) => boolean = () => false,
): void {
  for (const node of innerFirst(top)) {
    count(node);
    const { remembered } = node;
    if (remembered !== undefined && remembered.rest === restOf(node) && !needs(remembered.digest, node.count)) {
      node.digest = remembered.digest;
    } else {
      node.digest = put(encodeTree(entriesOf(node)), node.count);
      node.isNews = true;
    }
  }
}

/** Tells the stat cache what was found out about folders that it had nothing, or something else, of. */
export function rememberFolders(top: FolderNode, statCache: StatCache): void {
  for (const node of innerFirst(top)) {
    const { isNews, id, files, facts, digest, listed } = node;
    if (!isNews || files.length === 0) continue;
    const { stats, hashes, flags } = facts;
    const tree = digest === undefined ? undefined : { rest: restOf(node), digest };
    statCache.remember(id, { names: files, stats, hashes, flags, tree, listed });
  }
}

/** Bytes and files, at any depth. */
function count(node: FolderNode): void {
  const { facts, files, followed, folders } = node;
  node.size = 0;
  node.count = files.length + followed.length;
  for (let i = 0; i < node.count; i++) node.size += facts.size(i);
  for (const { node: inner } of folders) {
    node.size += inner.size;
    node.count += inner.count;
  }
}

/** Stands for all of a folder but its own files: hashed as a tree would be. */
function restOf({ facts, files, followed, folders, links }: FolderNode): Digest {
  const entries = followed.map((name, i) => fileEntry(name, facts, files.length + i));
  return hashBytes(encodeTree([...entries, ...folders.map(folderEntry), ...links.map(linkEntry)]));
}

/** The listing of a folder whose files were scanned, in no order. */
export function entriesOf({ facts, files, followed, folders, links }: FolderNode): TreeEntry[] {
  const names = followed.length === 0 ? files : [...files, ...followed];
  const entries: TreeEntry[] = [];
  for (let i = 0; i < names.length; i++) entries.push(fileEntry(names[i] as string, facts, i));
  for (const folder of folders) entries.push(folderEntry(folder));
  for (const link of links) entries.push(linkEntry(link));
  return entries;
}

function fileEntry(name: string, facts: FileFacts, i: number): TreeEntry {
  return { kind: 'file', name, executable: facts.executable(i), size: facts.size(i), digest: facts.digest(i) };
}

function folderEntry({ name, node }: FolderNode['folders'][number]): TreeEntry {
  if (node.digest === undefined) throw new Error('a folder before what is inside it');
  return { kind: 'folder', name, size: node.size, files: node.count, digest: node.digest };
}

function linkEntry({ name, target }: FolderNode['links'][number]): TreeEntry {
  return { kind: 'symlink', name, target };
}

/** The artifact that stands at a path, once scanned (and, for a folder, once its trees are built). */
export function artifactOf(standing: Standing): Artifact | undefined {
  if (standing.kind === 'absent') return undefined;
  if (standing.kind === 'file') {
    const { facts } = standing;
    return { kind: 'file', digest: facts.digest(0), size: facts.size(0), executable: facts.executable(0) };
  }
  const { digest, size, count } = standing.node;
  if (digest === undefined) throw new Error('a folder whose trees were not built');
  return { kind: 'folder', digest, size, files: count };
}
