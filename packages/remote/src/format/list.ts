import { digestHex } from '@dag/model';
import { hashBytes } from '@dag/store';
import { HASH_SIZE } from './entry.ts';
import { PIECE_MAX } from './limits.ts';

/**
 * A list of pieces (FORMAT.md): BLAKE3 of what follows, then for each piece its hash and its u32 length in bytes. The content
 * is the pieces, one after the other.
 */
const ITEM_SIZE = HASH_SIZE + 4;

/** So many pieces have room in a list that is one entry. */
export const LIST_PIECES = Math.floor((PIECE_MAX - HASH_SIZE) / ITEM_SIZE);

export interface Piece {
  /** 32 bytes. */
  readonly hash: Uint8Array;
  readonly size: number;
}

export function encodeList(pieces: readonly Piece[]): Buffer {
  const bytes = Buffer.alloc(HASH_SIZE + pieces.length * ITEM_SIZE);
  for (const [i, { hash, size }] of pieces.entries()) {
    bytes.set(hash, HASH_SIZE + i * ITEM_SIZE);
    bytes.writeUInt32LE(size, HASH_SIZE + i * ITEM_SIZE + HASH_SIZE);
  }
  bytes.write(digestHex(hashBytes(bytes.subarray(HASH_SIZE))), 0, 'hex');
  return bytes;
}

/** Reads a list, trusting nothing. @returns undefined where it is none whose pieces make up `size` bytes (when given). */
export function decodeList(bytes: Buffer, size: number | undefined): Piece[] | undefined {
  const count = (bytes.length - HASH_SIZE) / ITEM_SIZE;
  if (!Number.isInteger(count) || count < 1) return undefined;
  if (digestHex(hashBytes(bytes.subarray(HASH_SIZE))) !== bytes.toString('hex', 0, HASH_SIZE)) return undefined;
  const pieces: Piece[] = [];
  let sum = 0;
  for (let at = HASH_SIZE; at < bytes.length; at += ITEM_SIZE) {
    const length = bytes.readUInt32LE(at + HASH_SIZE);
    if (length === 0 || length > PIECE_MAX) return undefined;
    pieces.push({ hash: bytes.subarray(at, at + HASH_SIZE), size: length });
    sum += length;
  }
  return size === undefined || sum === size ? pieces : undefined;
}
