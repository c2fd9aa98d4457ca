import type { Digest } from '@dag/model';
import { digestAt, EXECUTABLE, KNOWN, STAT_COLUMNS } from '@dag/store';

const HASH_SIZE = 32;

/** What tells a file's content and state, as numbers: the columns of a folder's record in the stat cache. */
export interface StatRow {
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly mode: bigint;
}

/** What was found out about some files, index by index and column by column: 65 bytes a file, for there may be millions. */
export class FileFacts {
  readonly stats: BigInt64Array;
  readonly hashes: Buffer;
  readonly flags: Uint8Array;

  constructor(count: number) {
    this.stats = new BigInt64Array(count * STAT_COLUMNS);
    this.hashes = Buffer.alloc(count * HASH_SIZE);
    this.flags = new Uint8Array(count);
  }

  /** @param settled whether the digest may be remembered for these stats. */
  set(i: number, stats: StatRow, settled: boolean): void {
    const at = i * STAT_COLUMNS;
    this.stats[at] = stats.ino;
    this.stats[at + 1] = stats.size;
    this.stats[at + 2] = stats.mtimeNs;
    this.stats[at + 3] = stats.ctimeNs;
    this.flags[i] = (settled ? KNOWN : 0) | ((stats.mode & 0o111n) === 0n ? 0 : EXECUTABLE);
  }

  setDigest(i: number, digest: Digest): void {
    this.hashes.write(digest.slice('blake3:'.length), i * HASH_SIZE, HASH_SIZE, 'hex');
  }

  /** Takes over the i-th file of other facts. */
  copy(i: number, from: Pick<FileFacts, 'stats' | 'hashes' | 'flags'>, j: number): void {
    for (let k = 0; k < STAT_COLUMNS; k++)
      this.stats[i * STAT_COLUMNS + k] = from.stats[j * STAT_COLUMNS + k] as bigint;
    this.copyHash(i, from.hashes, j);
    this.flags[i] = from.flags[j] as number;
  }

  copyHash(i: number, hashes: Uint8Array, j: number): void {
    for (let k = 0; k < HASH_SIZE; k++) this.hashes[i * HASH_SIZE + k] = hashes[j * HASH_SIZE + k] as number;
  }

  digest(i: number): Digest {
    return digestAt(this.hashes, i * HASH_SIZE);
  }

  hex(i: number): string {
    return this.hashes.toString('hex', i * HASH_SIZE, (i + 1) * HASH_SIZE);
  }

  /** Bytes. */
  size(i: number): number {
    return Number(this.stats[i * STAT_COLUMNS + 1]);
  }

  executable(i: number): boolean {
    return ((this.flags[i] as number) & EXECUTABLE) !== 0;
  }

  /** µs since 1970, to tell later whether the file was touched since. */
  mtime(i: number): number {
    return Number((this.stats[i * STAT_COLUMNS + 2] as bigint) / 1000n);
  }
}
