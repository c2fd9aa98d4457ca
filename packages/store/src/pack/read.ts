import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { blake3Digest, type Digest, digestHex } from '@dag/model';
import { stampOf } from '../evidence.ts';
import { hashBytes } from '../hash.ts';
import {
  decodeFooter,
  FANOUT_SIZE,
  FOOTER_SIZE,
  HASH_SIZE,
  type Index,
  indexOf,
  indexSize,
  isLaterPack,
  isSoundIndex,
  type Range,
  rangeAt,
  searchIndex,
} from './format.ts';

/** The checked index of a pack, in memory that the threads of this process share. */
export interface SharedIndex {
  /** Of the pack's file. */
  readonly name: string;
  readonly memory: SharedArrayBuffer;
  readonly count: number;
  /** What tells that the file is the one that was checked: see `stampOf`. */
  readonly stamp: string;
}

/** A published pack: its index in memory, its file open while it is in use. */
export class PackReader {
  readonly path: string;
  readonly index: Index;
  readonly stamp: string;
  #fd: number | undefined;

  private constructor(path: string, index: Index, stamp: string, fd: number | undefined) {
    this.path = path;
    this.index = index;
    this.stamp = stamp;
    this.#fd = fd;
  }

  /**
   * Reads and checks the index. Errors of the file system are thrown as they are.
   * @returns `later` for one of a version that is not known here; undefined when the file is no whole pack or not the one
   * that its name says.
   */
  static open(path: string): PackReader | 'later' | undefined {
    const fd = openSync(path, 'r');
    let reader: PackReader | undefined;
    try {
      const stats = fstatSync(fd, { bigint: true });
      const size = Number(stats.size);
      if (isLaterPack(readRange(fd, { offset: 0, length: FOOTER_SIZE }))) return 'later';
      if (size < FOOTER_SIZE) return undefined;
      const footer = decodeFooter(readRange(fd, { offset: size - FOOTER_SIZE, length: FOOTER_SIZE }), size);
      if (footer === undefined || !path.endsWith(`${footer.indexHash.toString('hex')}.pack`)) return undefined;
      const bytes = readRange(fd, { offset: footer.indexOffset, length: indexSize(footer.count) });
      if (digestHex(hashBytes(bytes)) !== footer.indexHash.toString('hex')) return undefined;
      if (!isSoundIndex(indexOf(bytes, footer.count), footer)) return undefined;
      const memory = Buffer.from(new SharedArrayBuffer(bytes.length));
      bytes.copy(memory);
      reader = new PackReader(path, indexOf(memory, footer.count), stampOf(stats), fd);
      return reader;
    } finally {
      if (reader === undefined) closeSync(fd);
    }
  }

  /** A pack whose index another thread of this process has read and checked. */
  static adopt(path: string, { memory, count, stamp }: SharedIndex): PackReader {
    return new PackReader(path, indexOf(Buffer.from(memory), count), stamp, undefined);
  }

  /** What `adopt` takes, for other threads. */
  share(): SharedIndex {
    const { bytes, count } = this.index;
    const memory = bytes.buffer as unknown as SharedArrayBuffer;
    return { name: basename(this.path), memory, count, stamp: this.stamp };
  }

  /** Where a hash stands in the index; -1 where it does not. */
  search(hash: Uint8Array, at: number): number {
    return searchIndex(this.index, hash, at);
  }

  /** The range of the i-th object of the index. */
  range(i: number): Range {
    return rangeAt(this.index, i);
  }

  /** The bytes of a range, unverified; shorter than asked for when the file was cut. */
  read(range: Range): Buffer {
    this.#fd ??= openSync(this.path, 'r');
    return readRange(this.#fd, range);
  }

  *list(): Iterable<{ digest: Digest; size: number }> {
    for (let i = 0; i < this.index.count; i++) yield { digest: this.#digest(i), size: this.range(i).length };
  }

  /** All objects in the order in which they stand in the file, for reading them all. */
  inOrder(): { readonly digest: Digest; readonly range: Range }[] {
    const all: { digest: Digest; range: Range }[] = [];
    for (let i = 0; i < this.index.count; i++) all.push({ digest: this.#digest(i), range: this.range(i) });
    return all.sort((a, b) => a.range.offset - b.range.offset);
  }

  #digest(i: number): Digest {
    const at = FANOUT_SIZE + i * HASH_SIZE;
    return blake3Digest(this.index.bytes.toString('hex', at, at + HASH_SIZE));
  }

  get isOpen(): boolean {
    return this.#fd !== undefined;
  }

  /** Closes the file; a later read opens it again. */
  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

/** The bytes of a range of an open file; shorter where the file ends. */
export function readRange(fd: number, range: Range): Buffer {
  const bytes = Buffer.allocUnsafe(range.length);
  let done = 0;
  while (done < range.length) {
    const count = readSync(fd, bytes, done, range.length - done, range.offset + done);
    if (count === 0) return bytes.subarray(0, done);
    done += count;
  }
  return bytes;
}
