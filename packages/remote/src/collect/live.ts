import { type Digest, decodeTree, FailureError, type TreeEntry } from '@dag/model';
import { digestAt, HashSet, hashOf, type Store } from '@dag/store';
import { KIND } from '../format/entry.ts';
import { decodeList, type Piece } from '../format/list.ts';
import type { Catalog } from '../index/catalog.ts';
import type { Place } from '../index/object.ts';
import { readEntries } from '../transfer/read-entries.ts';
import { readPieces } from '../transfer/read-objects.ts';
import { localTree, readTrees } from '../transfer/read-trees.ts';
import type { Session } from '../transfer/session.ts';
import { NO_LISTING } from '../transfer/words.ts';

/** What reads a remote. */
export interface Reading {
  readonly session: Session;
  readonly catalog: Catalog;
  /** Spares requests: what it has is not read from the remote. */
  readonly store: Store;
}

/** All that something needs. */
export interface Live {
  readonly hashes: HashSet;
  /** Those of them that are pieces of others. */
  readonly pieces: HashSet;
}

export interface LiveRoot {
  readonly digest: Digest;
  readonly kind: 'file' | 'folder';
}

export function nothingLive(): Live {
  return { hashes: new HashSet(), pieces: new HashSet() };
}

/** Lists whose content may be in memory at once. */
const LISTS_TOGETHER = 1 << 10;

/**
 * Adds roots and all that they need: what lies in folders, and the pieces of what is large. What the remote does not have needs
 * nothing there, unless the store tells what lies in it.
 * @throws FailureError `refused` where something is damaged, so that what it needs can't be told.
 */
export async function addLive(reading: Reading, live: Live, roots: Iterable<LiveRoot>): Promise<void> {
  const lists: Place[] = [];
  const add = (digest: Digest): boolean => {
    const hash = hashOf(digest);
    if (!live.hashes.add(hash, 0)) return false;
    const [place] = reading.catalog.find(hash);
    if (place !== undefined && place.kind !== KIND.bytes) lists.push(place);
    return true;
  };
  let level: Digest[] = [];
  const visit = (digest: Digest, kind: 'file' | 'folder', next: Digest[]): void => {
    if (add(digest) && kind === 'folder') next.push(digest);
  };
  for (const { digest, kind } of roots) visit(digest, kind, level);
  while (level.length > 0) {
    const below: Digest[] = [];
    const open = (_digest: Digest, entries: readonly TreeEntry[]): void => {
      for (const entry of entries) if (entry.kind !== 'symlink') visit(entry.digest, entry.kind, below);
    };
    await openTrees(reading, level, open, refuse);
    level = below;
  }
  for (let at = 0; at < lists.length; at += LISTS_TOGETHER) {
    await addPieces(reading, live, lists.slice(at, at + LISTS_TOGETHER));
  }
}

/** What is inside trees, from the store or the remote; those that neither has are left out. */
export async function openTrees(
  { session, catalog, store }: Reading,
  digests: readonly Digest[],
  open: (digest: Digest, entries: readonly TreeEntry[]) => void,
  fail: (reason: string) => void,
): Promise<void> {
  const remote: Digest[] = [];
  for (const digest of digests) {
    const here = localTree(store, digest);
    if (here !== undefined) open(digest, here);
    else if (catalog.find(hashOf(digest)).length > 0) remote.push(digest);
  }
  const take = (digest: Digest, content: Uint8Array) => {
    const tree = decodeTree(content);
    if (tree.ok) open(digest, tree.value);
    else fail(NO_LISTING);
  };
  await readTrees(session, catalog, remote, take, (_digest, reason) => fail(reason));
}

async function addPieces({ session, catalog }: Reading, live: Live, places: readonly Place[]): Promise<void> {
  const add = (pieces: readonly Piece[]): void => {
    for (const { hash } of pieces) {
      live.hashes.add(hash, 0);
      live.pieces.add(hash, 0);
    }
  };
  const long: { readonly parts: readonly Piece[]; readonly size: number }[] = [];
  const wants = places.map((place) => ({
    places: [place],
    check: (content: Uint8Array) => piecesIn(content, place) !== undefined,
    take: (content: Uint8Array) => {
      const pieces = piecesIn(content, place) ?? [];
      add(pieces);
      if (place.kind === KIND.lists) long.push({ parts: pieces, size: place.size });
    },
    refuse,
  }));
  await readEntries(session, wants);
  for (const { parts, size } of long) {
    const content = await readPieces(session, catalog, parts, refuse);
    add(content === undefined ? [] : (decodeList(content, size) ?? refuse('a list that is none')));
  }
}

/** The pieces that the content of a list names. */
export function piecesIn(content: Uint8Array, { kind, size }: Place): Piece[] | undefined {
  return decodeList(Buffer.from(content), kind === KIND.list ? size : undefined);
}

/** The digest of a hash that stands in an index. */
export function digestIn(hash: Uint8Array): Digest {
  return digestAt(hash, 0);
}

function refuse(reason: string): never {
  throw new FailureError({
    code: 'refused',
    message: `something that is needed is damaged in the remote, and what it needs can't be told: nothing is removed (${reason})`,
    hint: "find out what with 'dag fsck -r REMOTE', and send it again with 'dag push'",
  });
}
