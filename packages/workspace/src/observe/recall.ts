import type { BigIntStats } from 'node:fs';
import { basename, dirname } from 'node:path';
import { type AnyPath, folderOf } from '@dag/model';
import { ioFailure, KNOWN, type RecalledFolder, STAT_COLUMNS, type StatCache } from '@dag/store';
import { statOf } from '../threads/read-file.ts';
import type { FileFacts } from './facts.ts';
import { type FolderNode, innerFirst, type Standing } from './node.ts';

/** Files that are looked at in the same way, in one folder. */
export interface FileList {
  /** Of whose `files` this is the list. */
  readonly node: FolderNode | undefined;
  readonly facts: FileFacts;
  /** Where in `facts` the first of them stands. */
  readonly at: number;
  readonly folder: string;
  readonly shown: string;
  readonly names: readonly string[];
  readonly follow: boolean;
}

export function fileLists(path: AnyPath, standing: Standing): FileList[] {
  if (standing.kind === 'absent') return [];
  if (standing.kind === 'file') {
    const { abs, facts, isLink } = standing;
    const shown = folderOf(path);
    const names = [basename(abs)];
    return [{ node: undefined, facts, at: 0, folder: dirname(abs), shown, names, follow: isLink }];
  }
  return innerFirst(standing.node).flatMap((node) => {
    const { facts, abs: folder, path: shown, files, followed } = node;
    return [
      { node, facts, at: 0, folder, shown, names: files, follow: node.isOutside },
      { node: undefined, facts, at: files.length, folder, shown, names: followed, follow: true },
    ].filter(({ names }) => names.length > 0);
  });
}

/** How the stat cache is asked. */
export interface RecallRules {
  readonly statCache: StatCache;
  /** Whether a known digest will do; the hash stands in `hash` from `at` on. */
  readonly trust: (hash: Uint8Array, at: number) => boolean;
  /** Whether files that the folder's record doesn't tell are worth a look of their own. */
  readonly eager: () => boolean;
  /** Called after each file. */
  readonly onFile: (known: boolean, bytes: number) => void;
}

/**
 * Fills in facts that the stat cache knows, reading no file: by the folder's record, else by the file's own.
 * @returns a generator, so that others get their turn between files. Its result: which files are not known.
 */
export function* recall(list: FileList, rules: RecallRules): Generator<void, number[]> {
  const { node, names, facts, at } = list;
  const record = node && rules.statCache.recall(node.id);
  const unknown: number[] = [];
  const find = record === undefined ? undefined : finder(record, names);
  let isFromRecord = true;
  for (let i = 0; i < names.length; i++) {
    if (record === undefined && !rules.eager()) {
      unknown.push(i);
      rules.onFile(false, 0);
      continue;
    }
    const stats = look(list, i);
    const j = find?.(names[i] as string, i);
    const bytes = Number(stats.size);
    facts.set(at + i, stats, true);
    if (record !== undefined && node !== undefined && j !== undefined && isSame(record, j, stats, node.id.dev)) {
      facts.copyHash(at + i, record.hashes, j);
    } else {
      isFromRecord = false;
      const digest = stats.isFile() && rules.eager() ? rules.statCache.find(stats) : undefined;
      if (digest === undefined) {
        unknown.push(i);
        rules.onFile(false, bytes);
        yield;
        continue;
      }
      facts.setDigest(at + i, digest);
    }
    const isKnown = rules.trust(facts.hashes, (at + i) * 32);
    if (!isKnown) unknown.push(i);
    rules.onFile(isKnown, bytes);
    yield;
  }
  if (node !== undefined) {
    const isWhole =
      record !== undefined && isFromRecord && unknown.length === 0 && record.flags.length === names.length;
    node.remembered = isWhole ? record.tree : undefined;
    node.isNews = !isWhole || record.text !== names.join('\0');
  }
  return unknown;
}

/** Where a record has a name: at the same place, when the folder is listed as it was. */
function finder(record: RecalledFolder, names: readonly string[]): (name: string, i: number) => number | undefined {
  if (record.text === names.join('\0')) return (_, i) => i;
  const places = new Map(record.names.map((name, i) => [name, i]));
  return (name) => places.get(name);
}

function isSame({ stats, flags }: RecalledFolder, j: number, now: BigIntStats, dev: bigint): boolean {
  const at = j * STAT_COLUMNS;
  return (
    ((flags[j] as number) & KNOWN) !== 0 &&
    stats[at] === now.ino &&
    stats[at + 1] === now.size &&
    stats[at + 2] === now.mtimeNs &&
    stats[at + 3] === now.ctimeNs &&
    now.dev === dev &&
    now.isFile()
  );
}

function look({ folder, shown, names, follow }: FileList, i: number): BigIntStats {
  const name = names[i] as string;
  try {
    return statOf(`${folder}/${name}`, follow);
  } catch (error) {
    throw ioFailure(error, 'read', shown === '' ? name : `${shown}/${name}`);
  }
}
