import { type Digest, digestHex } from '@dag/model';
import { FANOUT_SIZE, hashBytes, type Index, indexOf, isSoundFanout, searchIndex } from '@dag/store';
import { type EntryList, HASH_SIZE, isSoundEntry, RECORD_SIZE, ROW_SIZE, readEntry } from '../format/entry.ts';
import { INDEX_ENTRIES, INDEX_LIMIT, PACK_LIMIT } from '../format/limits.ts';

/**
 * An index object (FORMAT.md): magic, u32 length of a head in JSON and the head, u32 number of packs and for each its 32 bytes
 * of hash and u32 length, u32 number of entries, 256 × u32 fan-out, the sorted hashes, and the records in their order. It is
 * named by the BLAKE3 of all of it.
 */
const MAGIC = Buffer.from('dagrind1', 'latin1');
const PACK_ROW = HASH_SIZE + 4;

/** What an index says beside its entries. All hashes and names as 64 hex digits. */
export interface Head {
  /** Indexes that count no longer where this one is. */
  readonly replaces: readonly string[];
  /** What was pushed last: nothing that these need may be removed while they are young. */
  readonly roots: readonly PushedRoot[];
  /** Packs that no index names any more, or ever named, and since when nobody relies on them. */
  readonly dropped: readonly Since[];
  /** Markings that whoever made this index knew of when he relied on what is not in it. */
  readonly seen: readonly string[];
  /** Pushes that this is a part of, and of which more is to come. */
  readonly begun: readonly Since[];
  /** Those of them that have come to their end. */
  readonly ended: readonly Since[];
  /** Where the entries are marked for removal: nobody may rely on them. */
  readonly marked?: Marked | undefined;
}

/** A marking: the entries of one index or of several together. */
export interface Marked {
  /** Common to all its indexes. */
  readonly id: string;
  /** When, by the storage's clock. */
  readonly at: number;
  /** Set in the index that is put last: the marking counts from there on. */
  readonly last: boolean;
  /** Indexes that hold nothing of what is marked: they count as having seen it. */
  readonly spares: readonly string[];
}

export interface PushedRoot extends Since {
  /** The clone that pushed it. */
  readonly by?: string | undefined;
  readonly kind?: 'file' | 'folder' | undefined;
}

/** Something, and when it was so: in milliseconds since 1970. */
export interface Since {
  readonly name: string;
  readonly at: number;
}

export interface Pack {
  readonly name: string;
  /** Bytes. */
  readonly length: number;
}

/** Where some content is. */
export interface Place {
  readonly pack: Pack;
  readonly offset: number;
  readonly stored: number;
  readonly kind: number;
  readonly codec: number;
  readonly size: number;
}

/** An index object, checked. */
export class IndexObject {
  readonly name: string;
  readonly bytes: Buffer;
  readonly head: Head;
  readonly packs: readonly Pack[];
  readonly #index: Index;

  private constructor(name: string, bytes: Buffer, head: Head, packs: readonly Pack[], index: Index) {
    this.name = name;
    this.bytes = bytes;
    this.head = head;
    this.packs = packs;
    this.#index = index;
  }

  /** Reads one, trusting nothing. @returns undefined where it is not whole or not of that name. */
  static decode(name: string, bytes: Buffer): IndexObject | undefined {
    if (bytes.length > INDEX_LIMIT || digestHex(hashBytes(bytes)) !== name) return undefined;
    const reader = new Reader(bytes);
    if (!MAGIC.equals(reader.take(MAGIC.length) ?? Buffer.alloc(0))) return undefined;
    const head = decodeHead(reader.take(reader.number()));
    const packs = decodePacks(reader.take(reader.number() * PACK_ROW));
    const count = reader.number();
    if (head === undefined || packs === undefined || count > INDEX_ENTRIES) return undefined;
    const rest = reader.take(FANOUT_SIZE + count * ROW_SIZE);
    if (rest === undefined || !reader.isAtEnd) return undefined;
    const index = indexOf(rest, count);
    const object = new IndexObject(name, bytes, head, packs, index);
    return isSoundFanout(index) && object.#areEntriesSound() ? object : undefined;
  }

  get count(): number {
    return this.#index.count;
  }

  find(hash: Uint8Array, at: number): Place | undefined {
    const i = searchIndex(this.#index, hash, at);
    return i === -1 ? undefined : this.place(i);
  }

  has(hash: Uint8Array, at: number): boolean {
    return searchIndex(this.#index, hash, at) !== -1;
  }

  place(i: number): Place {
    const { pack, ...place } = readEntry(this.#index.bytes, this.#recordAt(i));
    return { ...place, pack: this.packs[pack] as Pack };
  }

  hash(i: number): Buffer {
    const at = FANOUT_SIZE + i * HASH_SIZE;
    return this.#index.bytes.subarray(at, at + HASH_SIZE);
  }

  digest(i: number): Digest {
    return `blake3:${this.hash(i).toString('hex')}` as Digest;
  }

  #recordAt(i: number): number {
    return FANOUT_SIZE + this.count * HASH_SIZE + i * RECORD_SIZE;
  }

  #areEntriesSound(): boolean {
    for (let i = 0; i < this.count; i++) {
      const entry = readEntry(this.#index.bytes, this.#recordAt(i));
      const pack = this.packs[entry.pack];
      if (pack === undefined || !isSoundEntry(entry, pack.length)) return false;
    }
    return true;
  }
}

/** Makes an index object of entries in any order; of several with one hash the first counts. What `some` leaves out is empty. */
export function encodeIndex(some: Partial<Head>, packs: readonly Pack[], entries: EntryList): IndexObject {
  const rows = entries.rows();
  const order = sortedRows(rows);
  const head: Head = { replaces: [], roots: [], dropped: [], seen: [], begun: [], ended: [], ...some };
  const headBytes = Buffer.from(JSON.stringify(head));
  const packBytes = Buffer.alloc(packs.length * PACK_ROW);
  for (const [i, { name, length }] of packs.entries()) {
    packBytes.write(name, i * PACK_ROW, 'hex');
    packBytes.writeUInt32LE(length, i * PACK_ROW + HASH_SIZE);
  }
  const fanout = Buffer.alloc(FANOUT_SIZE);
  const hashes = Buffer.alloc(order.length * HASH_SIZE);
  const records = Buffer.alloc(order.length * RECORD_SIZE);
  const counts = new Uint32Array(256);
  for (const [i, from] of order.entries()) {
    rows.copy(hashes, i * HASH_SIZE, from, from + HASH_SIZE);
    rows.copy(records, i * RECORD_SIZE, from + HASH_SIZE, from + ROW_SIZE);
    const first = rows[from] as number;
    counts[first] = (counts[first] as number) + 1;
  }
  for (let byte = 0, total = 0; byte < 256; byte++) {
    total += counts[byte] as number;
    fanout.writeUInt32LE(total, byte * 4);
  }
  const parts = [MAGIC, u32(headBytes.length), headBytes, u32(packs.length), packBytes, u32(order.length)];
  const bytes = Buffer.concat([...parts, fanout, hashes, records]);
  const made = IndexObject.decode(digestHex(hashBytes(bytes)), bytes);
  if (made === undefined) throw new Error('an index that can not be read was made');
  return made;
}

/** Where each row begins, in the order of the hashes; rows whose hash stood before are left out. */
function sortedRows(rows: Buffer): Uint32Array {
  const count = rows.length / ROW_SIZE;
  // The first 32 bits of a hash and the number of its row, as one number that sorts by the former, then by the latter.
  const keys = new Float64Array(count);
  const shift = 2 ** 21;
  for (let i = 0; i < count; i++) keys[i] = rows.readUInt32BE(i * ROW_SIZE) * shift + i;
  keys.sort();
  const order = Uint32Array.from(keys, (key) => (key % shift) * ROW_SIZE);
  const compare = (a: number, b: number) => rows.compare(rows, b, b + HASH_SIZE, a, a + HASH_SIZE);
  const prefixAt = (i: number) => rows.readUInt32BE(order[i] as number);
  let kept = 0;
  for (let from = 0; from < count; ) {
    let to = from + 1;
    while (to < count && prefixAt(to) === prefixAt(from)) to++;
    const alike = order.slice(from, to);
    if (alike.length > 1) alike.sort((a, b) => compare(a, b) || a - b);
    for (const at of alike) {
      if (kept === 0 || compare(order[kept - 1] as number, at) !== 0) order[kept++] = at;
    }
    from = to;
  }
  return order.subarray(0, kept);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** Reads on through bytes; what goes beyond their end is undefined. */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  take(length: number): Buffer | undefined {
    if (!(this.#at + length <= this.#bytes.length)) return undefined;
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** A u32; NaN beyond the end, so that what depends on it is undefined too. */
  number(): number {
    return this.take(4)?.readUInt32LE(0) ?? Number.NaN;
  }
}

function decodePacks(bytes: Buffer | undefined): Pack[] | undefined {
  if (bytes === undefined) return undefined;
  const packs: Pack[] = [];
  for (let at = 0; at < bytes.length; at += PACK_ROW) {
    const length = bytes.readUInt32LE(at + HASH_SIZE);
    if (length > PACK_LIMIT) return undefined;
    packs.push({ name: bytes.toString('hex', at, at + HASH_SIZE), length });
  }
  return packs;
}

function decodeHead(bytes: Buffer | undefined): Head | undefined {
  if (bytes === undefined) return undefined;
  let head: unknown;
  try {
    head = JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof head !== 'object' || head === null) return undefined;
  const {
    replaces = [],
    roots = [],
    dropped = [],
    seen = [],
    begun = [],
    ended = [],
    marked,
  } = head as Record<string, unknown>;
  if (!areNames(replaces) || !areNames(seen) || !areRoots(roots) || !areSince(dropped)) return undefined;
  if (!areSince(begun) || !areSince(ended)) return undefined;
  if (marked === undefined) return { replaces, roots, dropped, seen, begun, ended };
  return isMarked(marked) ? { replaces, roots, dropped, seen, begun, ended, marked } : undefined;
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}

function areNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isName);
}

function areSince(value: unknown): value is Since[] {
  return Array.isArray(value) && value.every(isSince);
}

function areRoots(value: unknown): value is PushedRoot[] {
  return areSince(value) && value.every(isPushedRoot);
}

function isPushedRoot({ by, kind }: PushedRoot): boolean {
  return (by === undefined || isName(by)) && (kind === undefined || kind === 'file' || kind === 'folder');
}

function isMarked(value: unknown): value is Marked {
  if (typeof value !== 'object' || value === null) return false;
  const { id, at, last, spares } = value as Record<string, unknown>;
  return isName(id) && typeof at === 'number' && Number.isFinite(at) && typeof last === 'boolean' && areNames(spares);
}

function isSince(value: unknown): value is Since {
  if (typeof value !== 'object' || value === null) return false;
  const { name, at } = value as Record<string, unknown>;
  return isName(name) && typeof at === 'number' && Number.isFinite(at);
}
