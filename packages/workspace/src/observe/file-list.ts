import type { BigIntStats } from 'node:fs';
import { basename, dirname } from 'node:path';
import { type AnyPath, folderOf } from '@dag/model';
import { ioFailure, KNOWN, type StatCache } from '@dag/store';
import { statOf, WORTH_RECORD } from '../threads/read-file.ts';
import type { FileFacts } from './facts.ts';
import { type FolderNode, innerFirst, type Standing } from './node.ts';

/** Files that are looked at in the same way, in one folder. */
export interface FileList {
  /** Of whose `files` this is the list. */
  readonly node: FolderNode | undefined;
  /** Whose facts tell of them. */
  readonly holder: { facts: FileFacts };
  /** Where in the facts the first of them stands. */
  readonly at: number;
  readonly folder: string;
  readonly shown: string;
  readonly names: readonly string[];
  readonly count: number;
  readonly follow: boolean;
}

export function fileLists(path: AnyPath, standing: Standing): FileList[] {
  if (standing.kind === 'absent') return [];
  if (standing.kind === 'file') {
    const { abs, isLink } = standing;
    const names = [basename(abs)];
    const place = { folder: dirname(abs), shown: folderOf(path) };
    return [{ node: undefined, holder: standing, at: 0, ...place, names, count: 1, follow: isLink }];
  }
  return innerFirst(standing.node).flatMap((node) => {
    const { abs: folder, path: shown, followed, fileCount } = node;
    const lists: FileList[] = [];
    if (fileCount > 0) lists.push(new OwnFiles(node));
    if (followed.length > 0) {
      const rest = { names: followed, count: followed.length, follow: true };
      lists.push({ node: undefined, holder: node, at: fileCount, folder, shown, ...rest });
    }
    return lists;
  });
}

/** The plain files of a folder; their names are made when they are asked for. */
class OwnFiles implements FileList {
  readonly node: FolderNode;
  readonly at = 0;

  constructor(node: FolderNode) {
    this.node = node;
  }

  get holder(): FolderNode {
    return this.node;
  }

  get folder(): string {
    return this.node.abs;
  }

  get shown(): string {
    return this.node.path;
  }

  get names(): readonly string[] {
    return this.node.files;
  }

  get count(): number {
    return this.node.fileCount;
  }

  get follow(): boolean {
    return this.node.isOutside;
  }
}

/** One file as it is. */
export function lookAt({ folder, shown, names, follow }: FileList, i: number): BigIntStats {
  const name = names[i] as string;
  try {
    return statOf(`${folder}/${name}`, follow);
  } catch (error) {
    throw ioFailure(error, 'read', shown === '' ? name : `${shown}/${name}`);
  }
}

/**
 * Gives a file that was read a record of its own, unless it is a small one that its folder's record tells of.
 * @param dev its device, where that is known.
 */
export function recordFile(statCache: StatCache, { node, holder, at }: FileList, i: number, dev = node?.id.dev): void {
  const { facts } = holder;
  if (dev === undefined || ((facts.flags[at + i] as number) & KNOWN) === 0) return;
  const stats = facts.row(at + i);
  if (node === undefined || stats.size >= WORTH_RECORD) statCache.record({ dev, ...stats }, facts.digest(at + i));
}
