import type { Stats } from 'node:fs';

/** How many numbers are kept of each file: inode, size, mtime and ctime in ns. */
export const STAT_COLUMNS = 4;

const WORD = 2 ** 32;

/** Doubles leave this much (ms) of a time in ns uncertain. Whatever changes a file later than `isSettled` allows is far off. */
const SAME_MS = 0.001;

/**
 * Stats of some files, one after the other: `STAT_COLUMNS` 64-bit numbers each. Read as doubles, since a BigInt for each number
 * would cost as much as the look at the file that it is compared with.
 */
export class StatColumns {
  readonly numbers: BigInt64Array;
  readonly #words: Int32Array;

  constructor(numbers: BigInt64Array) {
    this.numbers = numbers;
    this.#words = new Int32Array(numbers.buffer, numbers.byteOffset, numbers.length * 2);
  }

  /** Of the i-th file, in bytes. */
  size(i: number): number {
    return this.#number(i * STAT_COLUMNS + 1);
  }

  /** µs since 1970, rounded down. */
  mtime(i: number): number {
    return Number((this.numbers[i * STAT_COLUMNS + 2] as bigint) / 1000n);
  }

  /** Whether a plain file is the i-th one, unchanged. */
  isSame(i: number, { ino, size, mtimeMs, ctimeMs }: Pick<Stats, 'ino' | 'size' | 'mtimeMs' | 'ctimeMs'>): boolean {
    const at = i * STAT_COLUMNS;
    return (
      this.#number(at + 1) === size &&
      Math.abs(this.#number(at + 3) / 1e6 - ctimeMs) < SAME_MS &&
      Math.abs(this.#number(at + 2) / 1e6 - mtimeMs) < SAME_MS &&
      this.#unsigned(at) === ino
    );
  }

  #unsigned(at: number): number {
    return ((this.#words[2 * at + 1] as number) >>> 0) * WORD + ((this.#words[2 * at] as number) >>> 0);
  }

  #number(at: number): number {
    return (this.#words[2 * at + 1] as number) * WORD + ((this.#words[2 * at] as number) >>> 0);
  }
}
