/**
 * Pack format, version 1. Integers are little-endian.
 *
 *   8 bytes   "dagpack1"
 *   objects   their bytes, one after the other, nothing between
 *   index     256 × u32: how many objects have a first hash byte of at most this one
 *             count × 32 bytes: the hashes, sorted
 *             count × 12 bytes: u64 offset from the file's start, u32 length, in the order of the hashes
 *   footer    u64 offset of the index, u32 count, 32 bytes BLAKE3 of the index, "dagpack1"
 *
 * The file is named by the hash in the footer: `packs/<64 hex>.pack`.
 */
export const MAGIC = Buffer.from('dagpack1', 'latin1');
export const FOOTER_SIZE = 8 + 4 + 32 + MAGIC.length;
export const FANOUT_SIZE = 256 * 4;
export const HASH_SIZE = 32;
export const PLACE_SIZE = 12;

/** A range of a pack, in bytes. */
export interface Range {
  readonly offset: number;
  readonly length: number;
}

export interface Footer {
  readonly indexOffset: number;
  readonly count: number;
  readonly indexHash: Buffer;
}

export function indexSize(count: number): number {
  return FANOUT_SIZE + count * (HASH_SIZE + PLACE_SIZE);
}

/** What a pack holds so far, in the order in which it stands there: 44 bytes an object, for there may be millions. */
export class PackList {
  #bytes = Buffer.alloc(0);
  count = 0;

  clear(): void {
    this.count = 0;
  }

  add(hex: string, range: Range): void {
    const at = this.count * (HASH_SIZE + PLACE_SIZE);
    if (at === this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(64 * (HASH_SIZE + PLACE_SIZE), 2 * at));
      this.#bytes.copy(larger);
      this.#bytes = larger;
    }
    this.#bytes.write(hex, at, HASH_SIZE, 'hex');
    this.#bytes.writeBigUInt64LE(BigInt(range.offset), at + HASH_SIZE);
    this.#bytes.writeUInt32LE(range.length, at + HASH_SIZE + 8);
    this.count++;
  }

  /** The pack's index: sorted by hash. */
  encode(): Buffer {
    const bytes = this.#bytes;
    const order = Uint32Array.from({ length: this.count }, (_, i) => i * (HASH_SIZE + PLACE_SIZE));
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    order.sort(
      (a, b) => view.getUint32(a) - view.getUint32(b) || bytes.compare(bytes, b, b + HASH_SIZE, a, a + HASH_SIZE),
    );
    const index = Buffer.alloc(indexSize(order.length));
    const places = FANOUT_SIZE + order.length * HASH_SIZE;
    const counts = new Uint32Array(256);
    for (const [i, from] of order.entries()) {
      bytes.copy(index, FANOUT_SIZE + i * HASH_SIZE, from, from + HASH_SIZE);
      bytes.copy(index, places + i * PLACE_SIZE, from + HASH_SIZE, from + HASH_SIZE + PLACE_SIZE);
      const first = bytes[from] as number;
      counts[first] = (counts[first] as number) + 1;
    }
    let total = 0;
    for (let byte = 0; byte < 256; byte++) {
      total += counts[byte] as number;
      index.writeUInt32LE(total, byte * 4);
    }
    return index;
  }
}

export function encodeFooter(footer: Footer): Buffer {
  const bytes = Buffer.alloc(FOOTER_SIZE);
  bytes.writeBigUInt64LE(BigInt(footer.indexOffset), 0);
  bytes.writeUInt32LE(footer.count, 8);
  footer.indexHash.copy(bytes, 12);
  MAGIC.copy(bytes, 44);
  return bytes;
}

/** Reads a footer, trusting nothing. @returns undefined when it does not fit a file of `fileSize` bytes. */
export function decodeFooter(bytes: Buffer, fileSize: number): Footer | undefined {
  if (bytes.length !== FOOTER_SIZE || !bytes.subarray(44).equals(MAGIC)) return undefined;
  const indexOffset = Number(bytes.readBigUInt64LE(0));
  const count = bytes.readUInt32LE(8);
  if (indexOffset < MAGIC.length || indexOffset + indexSize(count) + FOOTER_SIZE !== fileSize) return undefined;
  return { indexOffset, count, indexHash: Buffer.from(bytes.subarray(12, 44)) };
}

/** Whether the first bytes of a file are those of a pack of a later version, of which nothing else is known. */
export function isLaterPack(bytes: Buffer): boolean {
  const version = /^dagpack([2-9a-z])$/.exec(bytes.toString('latin1', 0, MAGIC.length));
  return version !== null;
}

/** A pack's index, for look-ups. */
export interface Index {
  readonly bytes: Buffer;
  /** Of the same bytes. */
  readonly view: DataView;
  readonly count: number;
}

export function indexOf(bytes: Buffer, count: number): Index {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), count };
}

/** The first 4 bytes of the i-th hash, as a number. */
export function prefixAt({ view }: Index, i: number): number {
  return view.getUint32(FANOUT_SIZE + i * HASH_SIZE);
}

/** Whether the i-th hash is the one that stands in `hash` from `at` on. */
export function isHashAt({ bytes }: Index, i: number, hash: Uint8Array, at: number): boolean {
  const from = FANOUT_SIZE + i * HASH_SIZE;
  for (let k = 0; k < HASH_SIZE; k++) if (bytes[from + k] !== hash[at + k]) return false;
  return true;
}

/** The first 4 bytes of a hash, as a number. */
export function prefixOf(hash: Uint8Array, at: number): number {
  const [a, b, c, d] = [hash[at] as number, hash[at + 1] as number, hash[at + 2] as number, hash[at + 3] as number];
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

/**
 * Where a hash stands in the sorted index; -1 where it does not. Fan-out, then binary search by the first 4 bytes: there may be
 * a look-up for each of millions of files.
 * @param at where the hash starts in `hash`.
 */
export function searchIndex(index: Index, hash: Uint8Array, at: number): number {
  const byte = hash[at] as number;
  let low = byte === 0 ? 0 : index.view.getUint32((byte - 1) * 4, true);
  const end = index.view.getUint32(byte * 4, true);
  let high = end;
  const prefix = prefixOf(hash, at);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (prefixAt(index, middle) < prefix) low = middle + 1;
    else high = middle;
  }
  for (; low < end && prefixAt(index, low) === prefix; low++) if (isHashAt(index, low, hash, at)) return low;
  return -1;
}

/** The range of the i-th object of an index. */
export function rangeAt({ view, count }: Index, i: number): Range {
  const at = FANOUT_SIZE + count * HASH_SIZE + i * PLACE_SIZE;
  const offset = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
  return { offset, length: view.getUint32(at + 8, true) };
}

/** Whether the fan-out counts up to the number of hashes, so that no look-up leaves them. */
export function isSoundFanout(index: Index): boolean {
  let before = 0;
  for (let byte = 0; byte < 256; byte++) {
    const upTo = index.view.getUint32(byte * 4, true);
    if (upTo < before) return false;
    before = upTo;
  }
  return before === index.count;
}

/** Whether fan-out and ranges make sense, so that no later look-up can leave the file. */
export function isSoundIndex(index: Index, footer: Footer): boolean {
  if (!isSoundFanout(index)) return false;
  for (let i = 0; i < footer.count; i++) {
    const { offset, length } = rangeAt(index, i);
    if (offset < MAGIC.length || offset + length > footer.indexOffset) return false;
  }
  return true;
}
