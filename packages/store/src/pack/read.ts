import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { blake3Digest, type Digest, digestHex } from '@dag/model';
import { hashBytes } from '../hash.ts';
import {
  decodeFooter,
  FANOUT_SIZE,
  FOOTER_SIZE,
  HASH_SIZE,
  indexSize,
  isSoundIndex,
  type Range,
  rangeAt,
  searchIndex,
} from './format.ts';

/** A published pack: its index in memory, its file open while it is in use. */
export class PackReader {
  readonly path: string;
  readonly #index: Buffer;
  readonly #count: number;
  #fd: number | undefined;

  private constructor(path: string, index: Buffer, count: number, fd: number) {
    this.path = path;
    this.#index = index;
    this.#count = count;
    this.#fd = fd;
  }

  /**
   * Reads and checks the index. Errors of the file system are thrown as they are.
   * @returns undefined when the file is no whole pack or not the one that its name says.
   */
  static open(path: string): PackReader | undefined {
    const fd = openSync(path, 'r');
    let reader: PackReader | undefined;
    try {
      const size = fstatSync(fd).size;
      if (size < FOOTER_SIZE) return undefined;
      const footer = decodeFooter(readRange(fd, { offset: size - FOOTER_SIZE, length: FOOTER_SIZE }), size);
      if (footer === undefined || !path.endsWith(`${footer.indexHash.toString('hex')}.pack`)) return undefined;
      const index = readRange(fd, { offset: footer.indexOffset, length: indexSize(footer.count) });
      if (digestHex(hashBytes(index)) !== footer.indexHash.toString('hex')) return undefined;
      if (!isSoundIndex(index, footer)) return undefined;
      reader = new PackReader(path, index, footer.count, fd);
      return reader;
    } finally {
      if (reader === undefined) closeSync(fd);
    }
  }

  find(hash: Buffer): Range | undefined {
    const at = searchIndex(this.#index, hash);
    return at === -1 ? undefined : rangeAt(this.#index, this.#count, at);
  }

  /** The bytes of a range, unverified; shorter than asked for when the file was cut. */
  read(range: Range): Buffer {
    this.#fd ??= openSync(this.path, 'r');
    return readRange(this.#fd, range);
  }

  *list(): Iterable<{ digest: Digest; size: number }> {
    for (let i = 0; i < this.#count; i++) {
      const at = FANOUT_SIZE + i * HASH_SIZE;
      const digest = blake3Digest(this.#index.toString('hex', at, at + HASH_SIZE));
      yield { digest, size: rangeAt(this.#index, this.#count, i).length };
    }
  }

  /** All objects in the order in which they stand in the file, for reading them all. */
  inOrder(): { readonly digest: Digest; readonly range: Range }[] {
    const all: { digest: Digest; range: Range }[] = [];
    for (let i = 0; i < this.#count; i++) {
      const at = FANOUT_SIZE + i * HASH_SIZE;
      const digest = blake3Digest(this.#index.toString('hex', at, at + HASH_SIZE));
      all.push({ digest, range: rangeAt(this.#index, this.#count, i) });
    }
    return all.sort((a, b) => a.range.offset - b.range.offset);
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

function readRange(fd: number, range: Range): Buffer {
  const bytes = Buffer.allocUnsafe(range.length);
  let done = 0;
  while (done < range.length) {
    const count = readSync(fd, bytes, done, range.length - done, range.offset + done);
    if (count === 0) return bytes.subarray(0, done);
    done += count;
  }
  return bytes;
}
