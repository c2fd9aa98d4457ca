import { closeSync, openSync, readSync } from 'node:fs';
import { digestHex } from '@dag/model';
import { hashBytes, hashOf, newHasher, type ObjectPlace } from '@dag/store';
import { pieceLength } from '../chunk/cut.ts';
import { KIND } from '../format/entry.ts';
import { PIECE_MAX } from '../format/limits.ts';
import { encodeList, LIST_PIECES, type Piece } from '../format/list.ts';
import type { Catalog } from '../index/catalog.ts';
import type { Outbox, Sort } from './outbox.ts';
import type { Progress } from './progress.ts';

/** Memory in which a file is cut. */
const WINDOW = 4 * PIECE_MAX;

/** What an object's pieces are put into, and what spares some of them. */
export interface Way {
  readonly outbox: Outbox;
  readonly catalog: Catalog;
  readonly progress: Progress;
}

/** Sends content that is in memory and has been checked. */
export async function sendBytes(way: Way, hash: Uint8Array, content: Uint8Array, sort: Sort): Promise<void> {
  const size = content.length;
  if (size <= PIECE_MAX) {
    way.outbox.put({ hash, kind: KIND.bytes, size, content, counts: { objects: 1, bytes: size } }, sort);
    if (way.outbox.isFull) await way.outbox.makeRoom();
    return;
  }
  const pieces: Piece[] = [];
  for (let at = 0; at < size; ) {
    const length = pieceLength(content.subarray(at, at + PIECE_MAX));
    pieces.push(await sendPiece(way, content.subarray(at, at + length), sort));
    at += length;
  }
  await sendList(way, hash, size, pieces);
}

/**
 * Sends a file of the cache, cut into pieces, of which those that are there are left out.
 * @returns false when its content was not what its digest says: then some pieces were sent, but nothing that names them.
 */
export async function sendFile(way: Way, hash: Uint8Array, place: ObjectPlace): Promise<boolean> {
  const file = openSync(place.kind === 'loose' ? place.file : place.pack, 'r');
  try {
    const start = place.kind === 'loose' ? 0 : place.offset;
    const window = Buffer.allocUnsafeSlow(WINDOW);
    const hasher = newHasher();
    const pieces: Piece[] = [];
    let [read, from, to] = [0, 0, 0];
    for (;;) {
      if (to - from < PIECE_MAX && read < place.size) {
        window.copyWithin(0, from, to);
        [from, to] = [0, to - from];
        const count = readSync(file, window, to, Math.min(WINDOW - to, place.size - read), start + read);
        if (count === 0) return false;
        hasher.update(window.subarray(to, to + count));
        read += count;
        to += count;
        continue;
      }
      if (from === to) break;
      const length = pieceLength(window.subarray(from, Math.min(to, from + PIECE_MAX)));
      pieces.push(await sendPiece(way, window.subarray(from, from + length), 'content'));
      from += length;
    }
    if (hasher.digest() !== `blake3:${Buffer.from(hash).toString('hex')}`) return false;
    await sendList(way, hash, place.size, pieces);
    return true;
  } finally {
    closeSync(file);
  }
}

async function sendPiece({ outbox, catalog, progress }: Way, content: Uint8Array, sort: Sort): Promise<Piece> {
  const hash = hashOf(hashBytes(content));
  const size = content.length;
  if (outbox.has(hash) || catalog.relyOn(hash, false)) {
    progress.done(0, size, true);
  } else {
    outbox.put({ hash, kind: KIND.bytes, size, content, counts: { objects: 0, bytes: size } }, sort);
    if (outbox.isFull) await outbox.makeRoom();
  }
  return { hash, size };
}

/** Sends the list of an object's pieces; a list that is too long for one entry is cut into pieces itself. */
async function sendList({ outbox, catalog }: Way, hash: Uint8Array, size: number, pieces: Piece[]): Promise<void> {
  let content = encodeList(pieces);
  let kind: number = KIND.list;
  if (pieces.length > LIST_PIECES) {
    const parts: Piece[] = [];
    for (let at = 0; at < content.length; at += PIECE_MAX) {
      const part = content.subarray(at, at + PIECE_MAX);
      const partHash = Buffer.from(digestHex(hashBytes(part)), 'hex');
      if (!catalog.relyOn(partHash, false)) {
        const counts = { objects: 0, bytes: 0 };
        outbox.put({ hash: partHash, kind: KIND.bytes, size: part.length, content: part, counts }, 'meta');
        if (outbox.isFull) await outbox.makeRoom();
      }
      parts.push({ hash: partHash, size: part.length });
    }
    content = encodeList(parts);
    kind = KIND.lists;
  }
  outbox.put({ hash, kind, size, content, counts: { objects: 1, bytes: 0 } }, 'meta');
  if (outbox.isFull) await outbox.makeRoom();
}
