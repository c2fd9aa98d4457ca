import { type FileHandle, open } from 'node:fs/promises';
import { digestHex } from '@dag/model';
import { type Hasher, hashBytes, hashOf, newHasher, type ObjectPlace } from '@dag/store';
import { pieceLength } from '../chunk/cut.ts';
import { KIND } from '../format/entry.ts';
import { PIECE_MAX } from '../format/limits.ts';
import { encodeList, LIST_PIECES, type Piece } from '../format/list.ts';
import type { Catalog } from '../index/catalog.ts';
import type { Outbox, Sort } from './outbox.ts';
import type { Progress } from './progress.ts';

/** So much of a file is read while as much of it is cut. */
const READ_SIZE = 2 * PIECE_MAX;

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
  const file = await open(place.kind === 'loose' ? place.file : place.pack, 'r');
  try {
    const start = place.kind === 'loose' ? 0 : place.offset;
    const hasher = newHasher();
    const pieces: Piece[] = [];
    for await (const piece of cut(file, start, place.size, hasher)) {
      if (piece === undefined) return false;
      pieces.push(await sendPiece(way, piece, 'content'));
    }
    if (hasher.digest() !== `blake3:${Buffer.from(hash).toString('hex')}`) return false;
    await sendList(way, hash, place.size, pieces);
    return true;
  } finally {
    await file.close();
  }
}

/**
 * Cuts a part of a file into pieces, each valid until the next is asked for, while more of it is read. Ends with undefined
 * where the file is shorter than it should be.
 * @param hasher gets all of it.
 */
async function* cut(file: FileHandle, start: number, size: number, hasher: Hasher): AsyncGenerator<Buffer | undefined> {
  // What is left of one is put before what comes in the other.
  const [one, other] = [0, 1].map(() => Buffer.allocUnsafeSlow(PIECE_MAX + Math.min(READ_SIZE, size))) as [
    Buffer,
    Buffer,
  ];
  let [now, next] = [one, other];
  const fill = (into: Buffer, at: number): Promise<number> => {
    const filled = readFully(file, into.subarray(PIECE_MAX, PIECE_MAX + Math.min(READ_SIZE, size - at)), start + at);
    // It is thrown when its turn comes.
    filled.catch(() => {});
    return filled;
  };
  let [from, to] = [PIECE_MAX, PIECE_MAX];
  let read = 0;
  let coming = fill(next, read);
  try {
    for (;;) {
      if (to - from < PIECE_MAX && read < size) {
        const count = await coming;
        if (count < Math.min(READ_SIZE, size - read)) return yield undefined;
        const left = to - from;
        now.copy(next, PIECE_MAX - left, from, to);
        [now, next] = [next, now];
        [from, to] = [PIECE_MAX - left, PIECE_MAX + count];
        read += count;
        coming = fill(next, read);
        hasher.update(now.subarray(PIECE_MAX, to));
        continue;
      }
      if (from === to) return;
      const length = pieceLength(now.subarray(from, Math.min(to, from + PIECE_MAX)));
      yield now.subarray(from, from + length);
      from += length;
    }
  } finally {
    await coming.catch(() => {});
  }
}

/** @returns how many bytes there were. */
async function readFully(file: FileHandle, into: Buffer, at: number): Promise<number> {
  for (let done = 0; done < into.length; ) {
    const { bytesRead } = await file.read(into, done, into.length - done, at + done);
    if (bytesRead === 0) return done;
    done += bytesRead;
  }
  return into.length;
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
