import type { Digest } from '@dag/model';
import { hashBytes, hashOf } from '@dag/store';
import { KIND } from '../format/entry.ts';
import { decodeList, type Piece } from '../format/list.ts';
import type { Catalog } from '../index/catalog.ts';
import type { Place } from '../index/object.ts';
import { readEntries, type Want } from './read-entries.ts';
import type { Session } from './session.ts';
import { MISMATCH } from './words.ts';

/** Objects that are cut into pieces, and where these are to go. */
export interface CutObject {
  readonly digest: Digest;
  readonly size: number;
  readonly places: readonly Place[];
  readonly refuse: (reason: string) => void;
}

/** Whether content is what a digest says. */
export function matches(digest: Digest): (content: Uint8Array) => boolean {
  return (content) => hashBytes(content) === digest;
}

/** The pieces of objects that are cut; those whose list can't be had are refused and left out. */
export async function readLists<T extends CutObject>(
  session: Session,
  catalog: Catalog,
  objects: readonly T[],
): Promise<Map<T, readonly Piece[]>> {
  const lists = new Map<T, readonly Piece[]>();
  const long: { readonly object: T; readonly parts: readonly Piece[] }[] = [];
  const wants = objects.map((object): Want => {
    const { kind } = object.places[0] ?? { kind: KIND.list };
    const expected = kind === KIND.list ? object.size : undefined;
    const read = (content: Uint8Array) => decodeList(Buffer.from(content), expected);
    return {
      places: object.places.filter((place) => place.kind === kind),
      check: (content) => read(content) !== undefined,
      take: (content) => {
        const pieces = read(content) ?? [];
        if (kind === KIND.list) lists.set(object, pieces);
        else long.push({ object, parts: pieces });
      },
      refuse: object.refuse,
    };
  });
  await readEntries(session, wants);
  for (const { object, parts } of long) {
    const content = await readPieces(session, catalog, parts, object.refuse);
    if (content === undefined) continue;
    const pieces = decodeList(content, object.size);
    if (pieces === undefined) object.refuse(MISMATCH);
    else lists.set(object, pieces);
  }
  return lists;
}

/** The content that pieces make up, in memory; the caller has seen to it that there is room for it. */
export async function readPieces(
  session: Session,
  catalog: Catalog,
  pieces: readonly Piece[],
  refuse: (reason: string) => void,
): Promise<Buffer | undefined> {
  const content = Buffer.allocUnsafeSlow(pieces.reduce((sum, { size }) => sum + size, 0));
  let refused = false;
  const take = (bytes: Uint8Array, at: number) => content.set(bytes, at);
  const one = (reason: string) => {
    if (!refused) refuse(reason);
    refused = true;
  };
  await readEntries(session, pieceWants(catalog, inOrder(pieces), take, one));
  return refused ? undefined : content;
}

/** What has to be read for some pieces; one that stands there several times is read once. */
export function pieceWants(
  catalog: Catalog,
  pieces: Iterable<PlacedPiece>,
  take: (content: Uint8Array, at: number) => void | Promise<void>,
  refuse: (reason: string) => void,
): Want[] {
  const places = new Map<Digest, { readonly piece: Piece; readonly at: number[] }>();
  for (const piece of pieces) {
    const digest = digestOf(piece);
    const known = places.get(digest);
    if (known === undefined) places.set(digest, { piece, at: [piece.at] });
    else known.at.push(piece.at);
  }
  return Array.from(places, ([digest, { piece, at }]) => ({
    places: catalog.find(piece.hash).filter((place) => place.kind === KIND.bytes && place.size === piece.size),
    check: matches(digest),
    take: (content) => {
      const [only] = at;
      if (at.length === 1 && only !== undefined) return take(content, only);
      return Promise.all(at.map((start) => take(content, start))).then(() => {});
    },
    refuse,
  }));
}

/** A piece, and where it begins in what it is a piece of. */
export interface PlacedPiece extends Piece {
  readonly at: number;
}

/** Pieces that follow each other, from the first byte on. */
export function* inOrder(pieces: Iterable<Piece>): Generator<PlacedPiece> {
  let at = 0;
  for (const { hash, size } of pieces) {
    yield { hash, size, at };
    at += size;
  }
}

export function digestOf({ hash }: Piece): Digest {
  return `blake3:${Buffer.from(hash).toString('hex')}` as Digest;
}

/** Where an object is, as far as what is said there can be. */
export function placesOf(catalog: Catalog, digest: Digest): Place[] {
  return catalog.find(hashOf(digest));
}
