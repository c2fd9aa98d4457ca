import { lstatSync, readlinkSync } from 'node:fs';
import type { Digest } from '@dag/model';
import type { FolderNode } from '../observe/node.ts';
import { isObjectPath } from '../threads/link.ts';

/** One thing that stands in a folder. `isLink`: reached through a symlink, which is all that can be removed of it here. */
export type Present =
  | {
      readonly kind: 'file';
      readonly digest: Digest;
      readonly executable: boolean;
      /** µs since 1970. */
      readonly mtime: number;
      readonly isLink: boolean;
      /** Whether its mode may be changed in place. */
      readonly writable: (abs: string) => boolean;
    }
  | { readonly kind: 'folder'; readonly node: FolderNode; readonly isLink: boolean }
  | { readonly kind: 'link'; readonly target: string; readonly isLink: true };

/** What stands in a scanned folder, by name. */
export function lookUp(node: FolderNode): Map<string, Present> {
  const found = new Map<string, Present>();
  const { facts } = node;
  for (const [i, name] of [...node.files, ...node.followed].entries()) {
    found.set(name, {
      kind: 'file',
      digest: facts.digest(i),
      executable: facts.executable(i),
      mtime: facts.mtime(i),
      isLink: i >= node.files.length,
      writable: isOwnWritable,
    });
  }
  for (const { name, target } of node.links) found.set(name, { kind: 'link', target, isLink: true });
  for (const name of node.dangling) found.set(name, { kind: 'link', target: '', isLink: true });
  for (const { name, node: inner, isLink } of node.folders) found.set(name, { kind: 'folder', node: inner, isLink });
  return found;
}

/** A file with one name and a write bit is no link into the cache. */
export function isOwnWritable(abs: string): boolean {
  const stats = lstatSync(abs);
  return stats.nlink === 1 && (stats.mode & 0o200) !== 0;
}

/** Whether a symlink is one of those that the link strategy makes. */
export function leadsToObject(abs: string): boolean {
  return isObjectPath(readlinkSync(abs));
}
