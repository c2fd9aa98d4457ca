import { PACK_LIMIT, PIECE_MAX } from './limits.ts';

/** What the decoded bytes of an entry are. */
export const KIND = {
  /** What the entry is named after: an object, or a piece of one. */
  bytes: 0,
  /** A list (list.ts) of the pieces of the object that the entry is named after. */
  list: 1,
  /** A list of the pieces of such a list. */
  lists: 2,
} as const;

/** How the bytes of an entry are stored. */
export const CODEC = { none: 0, zstd: 1 } as const;

/** Where and how an entry is kept. Lengths in bytes. */
export interface Entry {
  /** The number of its pack in the index's list of packs; 0 in a pack's own list. */
  readonly pack: number;
  readonly offset: number;
  /** What it takes in the pack. */
  readonly stored: number;
  readonly kind: number;
  readonly codec: number;
  /** What it is named after: the object or piece. */
  readonly size: number;
}

export const HASH_SIZE = 32;
/** u32 pack, u32 offset, u32 stored, u8 kind, u8 codec, u48 size. */
export const RECORD_SIZE = 20;
export const ROW_SIZE = HASH_SIZE + RECORD_SIZE;

export function writeEntry(into: Buffer, at: number, entry: Entry): void {
  into.writeUInt32LE(entry.pack, at);
  into.writeUInt32LE(entry.offset, at + 4);
  into.writeUInt32LE(entry.stored, at + 8);
  into.writeUInt8(entry.kind, at + 12);
  into.writeUInt8(entry.codec, at + 13);
  into.writeUIntLE(entry.size, at + 14, 6);
}

export function readEntry(from: Buffer, at: number): Entry {
  return {
    pack: from.readUInt32LE(at),
    offset: from.readUInt32LE(at + 4),
    stored: from.readUInt32LE(at + 8),
    kind: from.readUInt8(at + 12),
    codec: from.readUInt8(at + 13),
    size: from.readUIntLE(at + 14, 6),
  };
}

/** Whether an entry may stand in a pack of this length, so that reading and decoding it takes no more than its due. */
export function isSoundEntry(entry: Entry, packLength: number): boolean {
  if (entry.kind > KIND.lists || entry.codec > CODEC.zstd || packLength > PACK_LIMIT) return false;
  if (entry.stored > PIECE_MAX || entry.offset + entry.stored > packLength) return false;
  if (entry.kind !== KIND.bytes) return entry.size > PIECE_MAX;
  if (entry.size > PIECE_MAX) return false;
  return entry.codec === CODEC.none ? entry.stored === entry.size : entry.stored < entry.size;
}

/** Entries with their hashes, 52 bytes each: there may be hundreds of thousands. */
export class EntryList {
  #bytes = Buffer.alloc(0);
  count = 0;

  add(hash: Uint8Array, entry: Entry): void {
    const at = this.count * ROW_SIZE;
    if (at + ROW_SIZE > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(64 * ROW_SIZE, 2 * this.#bytes.length));
      this.#bytes.copy(larger);
      this.#bytes = larger;
    }
    this.#bytes.set(hash, at);
    writeEntry(this.#bytes, at + HASH_SIZE, entry);
    this.count++;
  }

  /** Adds entries of another list, as those of this pack. */
  addAll(rows: Buffer, pack: number): void {
    for (let at = 0; at < rows.length; at += ROW_SIZE) {
      this.add(rows.subarray(at, at + HASH_SIZE), { ...readEntry(rows, at + HASH_SIZE), pack });
    }
  }

  /** All rows, in the order of adding; valid until the next `add`. */
  rows(): Buffer {
    return this.#bytes.subarray(0, this.count * ROW_SIZE);
  }
}
