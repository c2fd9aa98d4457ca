import { type Digest, decodeTree, digestHex } from '@dag/model';
import { digestAt, hashBytes, hashOf } from '@dag/store';
import { decode } from '../chunk/codec.ts';
import { listPacks, readRows } from '../collect/packs.ts';
import { HASH_SIZE, KIND, ROW_SIZE, readEntry } from '../format/entry.ts';
import { PACK_LIMIT, PIECE_MAX, TREE_LIMIT } from '../format/limits.ts';
import { decodeList, type Piece } from '../format/list.ts';
import { IndexBuilders } from '../index/builder.ts';
import type { Catalog } from '../index/catalog.ts';
import type { Place, PushedRoot } from '../index/object.ts';
import { publishIndex } from '../index/publish.ts';
import { indexKey, packKey } from '../layout.ts';
import type { Remade } from '../remote.ts';
import { readPieces } from '../transfer/read-objects.ts';
import { readWhole } from '../transfer/read-whole.ts';
import type { Session } from '../transfer/session.ts';

const TREE = Buffer.from('dag tree 1\n', 'latin1');
/** So many of what nothing else needs are said to be pushed now, so that no collector takes them at once. */
const ROOTS_AT_MOST = 100_000;

/** An entry that was read and is whole. */
interface Candidate {
  readonly place: Place;
  /** What it names: all of that must be there, too. */
  readonly needs: readonly Digest[];
  readonly kind: 'file' | 'folder';
  /** Pieces that may make up a tree: what that names is known when they are read together. */
  readonly perhapsTree?: readonly Piece[] | undefined;
}

/**
 * Names again what lies in packs that no index names, because an index was lost or is damaged: the rows at each pack's end tell
 * what is in it. Every entry is read and checked; lists and trees count when all is there that they need. Packs that a collector
 * has dropped are left alone.
 */
export async function remakeIndexes(session: Session, catalog: Catalog): Promise<Remade> {
  const damaged = [...catalog.damaged];
  const found = await candidatesIn(session, await unnamedPacks(session, catalog));
  const remade = new Map<Digest, Candidate>();
  for (;;) {
    const whole = closed(found, catalog);
    if (whole.size === 0) break;
    for (const [digest, one] of whole) {
      remade.set(digest, one);
      found.delete(digest);
    }
    await putIndexes(session, catalog, whole);
    if (!(await openLargeTrees(session, catalog, found))) break;
  }
  if (damaged.length > 0) {
    const { storage, signal } = session;
    await session.call(() => storage.delete(damaged.map(indexKey), { signal }));
    await session.call(() => storage.settle());
    await catalog.refresh(session);
  }
  const packs = new Set([...remade.values()].map(({ place }) => place.pack.name));
  return { indexes: damaged.length, packs: packs.size, entries: remade.size };
}

async function unnamedPacks(session: Session, catalog: Catalog): Promise<Map<string, number>> {
  const unnamed = new Map<string, number>();
  for (const [name, { size }] of await listPacks(session)) unnamed.set(name, size);
  for (const { packs, head } of catalog.inForce)
    for (const { name } of [...packs, ...head.dropped]) unnamed.delete(name);
  return unnamed;
}

async function candidatesIn(session: Session, packs: ReadonlyMap<string, number>): Promise<Map<Digest, Candidate>> {
  const found = new Map<Digest, Candidate>();
  await session.forEach(packs, async ([name, length]) => {
    if (length > PACK_LIMIT) return;
    const rows = await readRows(session, name, length);
    const bytes = rows === undefined ? undefined : await readWhole(session, packKey(name), PACK_LIMIT);
    if (rows === undefined || !Buffer.isBuffer(bytes)) return;
    for (let at = 0; at < rows.length; at += ROW_SIZE) {
      const digest = digestAt(rows, at);
      const place = { ...readEntry(rows, at + HASH_SIZE), pack: { name, length } };
      const one = candidate(digest, place, bytes.subarray(place.offset, place.offset + place.stored));
      if (one !== undefined) found.set(digest, one);
    }
  });
  return found;
}

function candidate(digest: Digest, place: Place, stored: Buffer): Candidate | undefined {
  const content = decode(place.codec, stored, PIECE_MAX);
  if (content === undefined) return undefined;
  if (place.kind === KIND.bytes) {
    if (hashBytes(content) !== digest) return undefined;
    const needs = treeNeeds(content);
    return { place, needs: needs ?? [], kind: needs === undefined ? 'file' : 'folder' };
  }
  const pieces = decodeList(Buffer.from(content), place.kind === KIND.list ? place.size : undefined);
  if (pieces === undefined) return undefined;
  const perhapsTree = place.kind === KIND.list && place.size <= TREE_LIMIT ? pieces : undefined;
  return { place, needs: pieces.map(({ hash }) => digestAt(hash, 0)), kind: 'file', perhapsTree };
}

/** What a tree names; undefined where it is none. */
function treeNeeds(content: Uint8Array): Digest[] | undefined {
  if (!TREE.equals(content.subarray(0, TREE.length))) return undefined;
  const tree = decodeTree(content);
  if (!tree.ok) return undefined;
  return tree.value.flatMap((entry) => (entry.kind === 'symlink' ? [] : [entry.digest]));
}

/** Those whose needs are all among them or in the index; of what may be a large tree that is not known yet. */
function closed(found: ReadonlyMap<Digest, Candidate>, catalog: Catalog): Map<Digest, Candidate> {
  const whole = new Map([...found].filter(([, { perhapsTree }]) => perhapsTree === undefined));
  const isThere = (digest: Digest) => whole.has(digest) || catalog.has(hashOf(digest));
  for (let before = -1; before !== whole.size; ) {
    before = whole.size;
    for (const [digest, { needs }] of whole) if (!needs.every(isThere)) whole.delete(digest);
  }
  return whole;
}

/** Reads what may be large trees, whose pieces are there by now. @returns whether any became known. */
async function openLargeTrees(session: Session, catalog: Catalog, found: Map<Digest, Candidate>): Promise<boolean> {
  let isAny = false;
  for (const [digest, one] of found) {
    const { perhapsTree: pieces, needs } = one;
    if (pieces === undefined || !needs.every((piece) => catalog.has(hashOf(piece)))) continue;
    const names = await namesIn(session, catalog, digest, pieces);
    if (names === 'damaged') continue;
    isAny = true;
    const kind = names === undefined ? 'file' : 'folder';
    found.set(digest, { ...one, needs: [...needs, ...(names ?? [])], kind, perhapsTree: undefined });
  }
  return isAny;
}

async function namesIn(session: Session, catalog: Catalog, digest: Digest, pieces: readonly Piece[]) {
  const [head] = pieces;
  if (head === undefined) return 'damaged';
  let isDamaged = false;
  const refuse = () => {
    isDamaged = true;
  };
  const start = await readPieces(session, catalog, [head], refuse);
  if (start === undefined || isDamaged) return 'damaged';
  if (!TREE.equals(start.subarray(0, TREE.length))) return undefined;
  const content = await readPieces(session, catalog, pieces, refuse);
  return content === undefined || hashBytes(content) !== digest ? 'damaged' : treeNeeds(content);
}

async function putIndexes(session: Session, catalog: Catalog, whole: ReadonlyMap<Digest, Candidate>): Promise<void> {
  const indexes = new IndexBuilders();
  const needed = new Set<Digest>();
  for (const [digest, { place, needs }] of whole) {
    indexes.add(hashOf(digest), place);
    for (const need of needs) needed.add(need);
  }
  const tops = [...whole].filter(([digest]) => !needed.has(digest)).slice(0, ROOTS_AT_MOST);
  const roots = tops.map(([digest, { kind }]): PushedRoot => ({ name: digestHex(digest), at: session.now(), kind }));
  const seen = [...catalog.markings].sort();
  for (const [i, part] of indexes.parts.entries()) {
    await publishIndex(session, catalog, part.build({ seen, roots: i === 0 ? roots : [] }));
  }
}
