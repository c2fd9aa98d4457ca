import { join } from 'node:path';
import { type Digest, digestHex, parseDigest, type RunKey } from '@dag/model';

/** Content larger than this (bytes) is a file of its own; smaller content shares packs, and is always checked out by copy. */
export const SMALL_LIMIT = 64 * 1024;
/** Fewer small objects than this in one batch are not worth a pack. */
export const PACK_FROM = 16;
/** A pack is closed when it has grown to so many bytes. */
export const PACK_SIZE = 256 * 1024 * 1024;
/** Or to so many objects: the list of them is in memory until then. */
export const PACK_COUNT = 1 << 17;
/** Cache files are read-only: they are never changed once they have their name. */
export const OBJECT_MODE = 0o444;

/** The folders of a cache. FORMAT.md says what lies in them. */
export interface Layout {
  readonly root: string;
  readonly objects: string;
  readonly packs: string;
  readonly runs: string;
  readonly tmp: string;
  /** Large objects that are being fetched, or will be. */
  readonly partial: string;
  readonly quarantine: string;
  /** Marks of those who write, and of a gc. */
  readonly users: string;
}

export function layoutOf(root: string): Layout {
  return {
    root,
    objects: join(root, 'objects'),
    packs: join(root, 'packs'),
    runs: join(root, 'runs'),
    tmp: join(root, 'tmp'),
    partial: join(root, 'partial'),
    quarantine: join(root, 'quarantine'),
    users: join(root, 'users'),
  };
}

/** `objects/<2 hex>/<62 hex>` */
export function loosePath(layout: Layout, digest: Digest): string {
  const hex = digestHex(digest);
  return `${layout.objects}/${hex.slice(0, 2)}/${hex.slice(2)}`;
}

/** The digest that a loose object's place stands for; undefined for a name that is none. */
export function looseDigest(shard: string, name: string): Digest | undefined {
  return parseDigest(`blake3:${shard}${name}`);
}

/** `runs/<2 hex>/<key>` */
export function runFolder(layout: Layout, key: RunKey): string {
  return join(layout.runs, key.slice(0, 2), key);
}
