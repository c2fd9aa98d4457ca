import { randomFillSync } from 'node:crypto';
import { digestHex } from '@dag/model';
import { hashBytes } from '@dag/store';
import { EntryList, HASH_SIZE, isSoundEntry, ROW_SIZE, readEntry } from './entry.ts';
import { PACK_ENTRIES, PACK_SIZE, PIECE_MAX } from './limits.ts';

/**
 * A pack (FORMAT.md): the magic, 16 random bytes, the entries' stored bytes, a row for each entry (entry.ts) in their order, and a footer:
 * u32 number of rows, BLAKE3 of the rows, the magic again. It is named by the BLAKE3 of all of it. No
 * two packs have one name, whatever is in them: what is removed under a name never is what somebody has just put.
 */
const MAGIC = Buffer.from('dagrpak1', 'latin1');
const SALT_SIZE = 16;
const START = MAGIC.length + SALT_SIZE;
export const PACK_FOOTER_SIZE = 4 + HASH_SIZE + MAGIC.length;

/** The most that a pack which a `PackBuilder` makes can measure. */
const CAPACITY = START + PACK_SIZE + PIECE_MAX + PACK_ENTRIES * ROW_SIZE + PACK_FOOTER_SIZE;

/** A finished pack, in memory. */
export interface BuiltPack {
  /** 64 hex digits. */
  readonly name: string;
  readonly bytes: Buffer;
  readonly entries: EntryList;
}

/** Fills one pack after the other in the same memory. */
export class PackBuilder {
  readonly #memory = Buffer.allocUnsafeSlow(CAPACITY);
  #at = START;
  #entries = new EntryList();

  get isFull(): boolean {
    return this.#at >= PACK_SIZE || this.#entries.count >= PACK_ENTRIES;
  }

  get count(): number {
    return this.#entries.count;
  }

  /** Whether all that another one holds can be added too. */
  fits(other: PackBuilder): boolean {
    return this.#at + other.#at <= PACK_SIZE && this.count + other.count <= PACK_ENTRIES;
  }

  /** Must not be called when it is full. @returns where it lies. */
  add(hash: Uint8Array, entry: { kind: number; codec: number; size: number }, stored: Uint8Array): number {
    const offset = this.#at;
    const { kind, codec, size } = entry;
    this.#memory.set(stored, offset);
    this.#entries.add(hash, { pack: 0, offset, stored: stored.length, kind, codec, size });
    this.#at += stored.length;
    return offset;
  }

  /** Adds what another one holds, which is empty then. */
  take(other: PackBuilder): void {
    const rows = other.#entries.rows();
    for (let at = 0; at < rows.length; at += ROW_SIZE) {
      const entry = readEntry(rows, at + HASH_SIZE);
      const stored = other.#memory.subarray(entry.offset, entry.offset + entry.stored);
      this.add(rows.subarray(at, at + HASH_SIZE), entry, stored);
    }
    other.clear();
  }

  /** The pack; its bytes are good until `clear`. */
  finish(): BuiltPack {
    const rows = this.#entries.rows();
    const end = this.#at + rows.length;
    this.#memory.set(rows, this.#at);
    this.#memory.writeUInt32LE(this.#entries.count, end);
    this.#memory.write(digestHex(hashBytes(rows)), end + 4, 'hex');
    MAGIC.copy(this.#memory, end + 4 + HASH_SIZE);
    const bytes = this.#memory.subarray(0, end + PACK_FOOTER_SIZE);
    return { name: digestHex(hashBytes(bytes)), bytes, entries: this.#entries };
  }

  clear(): void {
    MAGIC.copy(this.#memory);
    randomFillSync(this.#memory, MAGIC.length, SALT_SIZE);
    this.#at = START;
    this.#entries = new EntryList();
  }

  constructor() {
    this.clear();
  }
}

/**
 * The rows of a pack, from its last bytes.
 * @param tail the end of the pack, at least its footer.
 * @param length of the whole pack.
 * @returns the rows; how many bytes of the end are needed where `tail` is too short; undefined where it is no pack.
 */
export function packRows(tail: Buffer, length: number): Buffer | number | undefined {
  const footer = tail.subarray(tail.length - PACK_FOOTER_SIZE);
  if (footer.length !== PACK_FOOTER_SIZE || !footer.subarray(4 + HASH_SIZE).equals(MAGIC)) return undefined;
  const size = footer.readUInt32LE(0) * ROW_SIZE;
  const start = length - PACK_FOOTER_SIZE - size;
  if (start < MAGIC.length) return undefined;
  if (size + PACK_FOOTER_SIZE > tail.length) return size + PACK_FOOTER_SIZE;
  const rows = tail.subarray(tail.length - PACK_FOOTER_SIZE - size, tail.length - PACK_FOOTER_SIZE);
  if (digestHex(hashBytes(rows)) !== footer.toString('hex', 4, 4 + HASH_SIZE)) return undefined;
  for (let at = 0; at < rows.length; at += ROW_SIZE) {
    if (!isSoundEntry(readEntry(rows, at + HASH_SIZE), start)) return undefined;
  }
  return rows;
}
