import { existsSync, linkSync, readdirSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Digest } from '@dag/model';
import { makeFolder, makeFolderSoon } from './durable.ts';
import { type Evidence, noteLoose } from './evidence.ts';
import { isErrno } from './failure.ts';
import { type Layout, loosePath } from './layout.ts';

/** Size in bytes of a loose object; undefined where there is none. */
export function looseSize(layout: Layout, digest: Digest): number | undefined {
  const stats = statSync(loosePath(layout, digest), { throwIfNoEntry: false });
  return stats?.isFile() === true ? stats.size : undefined;
}

/** After so many look-ups one by one, a snapshot lists whole folders instead. */
const LIST_FROM = 256;

/** Which loose objects there are, for many look-ups in a row: at most 256 folder listings instead of a stat each. */
export class LooseSnapshot {
  readonly #layout: Layout;
  readonly #shards = new Map<string, Set<string>>();
  #asked = 0;

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /** Whether there is one for the hash that stands in `hash` from `at` on. @param found where that is noted. */
  hasHash(hash: Uint8Array, at: number, found?: Evidence): boolean {
    const hex = Buffer.from(hash.buffer, hash.byteOffset + at, 32).toString('hex');
    const digest = `blake3:${hex}` as Digest;
    const isThere = this.#has(hex, digest);
    if (isThere && found !== undefined) noteLoose(found, digest);
    return isThere;
  }

  #has(hex: string, digest: Digest): boolean {
    if (++this.#asked < LIST_FROM) return existsSync(loosePath(this.#layout, digest));
    const shard = hex.slice(0, 2);
    let names = this.#shards.get(shard);
    if (names === undefined) {
      names = new Set(namesIn(`${this.#layout.objects}/${shard}`));
      this.#shards.set(shard, names);
    }
    return names.size > 0 && names.has(hex.slice(2));
  }
}

/**
 * Gives a finished temp file its place as an object. Where one has that name already, the new one, whose content
 * was just verified, takes its place. The caller syncs the folders named in the result, in their order.
 */
export function publishLoose(layout: Layout, temp: string, digest: Digest): string[] {
  const path = loosePath(layout, digest);
  const folder = dirname(path);
  const above = existsSync(folder) ? [] : makeFolderSoon(folder);
  renameSync(temp, path);
  return [folder, ...above];
}

/** As `publishLoose`, by a hard link: the file keeps its own name too. @returns false where links can't be made. */
export function linkLoose(layout: Layout, file: string, digest: Digest): boolean {
  const path = loosePath(layout, digest);
  const folder = dirname(path);
  if (!existsSync(folder)) makeFolder(folder);
  try {
    linkSync(file, path);
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return true;
    if (isErrno(error, 'EXDEV', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK', 'ENOSYS', 'EACCES')) return false;
    throw error;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
