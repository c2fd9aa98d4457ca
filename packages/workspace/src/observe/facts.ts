import type { Digest } from '@dag/model';
import { digestAt, EXECUTABLE, type FolderRecord, KNOWN, STAT_COLUMNS, StatColumns } from '@dag/store';

const HASH_SIZE = 32;

/** What tells a file's content and state, as numbers: the columns of a folder's record in the stat cache. */
export interface StatRow {
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly mode: bigint;
}

type Columns = Pick<FolderRecord, 'stats' | 'hashes' | 'flags'>;

/** What was found out about some files, index by index and column by column: 65 bytes a file, for there may be millions. */
export class FileFacts {
  readonly stats: BigInt64Array;
  readonly hashes: Buffer;
  readonly flags: Uint8Array;
  readonly #stats: StatColumns;

  /** @param files facts to begin with, which are no one else's; or how many files there are. */
  constructor(files: number | Columns) {
    const count = typeof files === 'number' ? files : files.flags.length;
    const { stats, hashes, flags } = typeof files === 'number' ? empty(count) : files;
    this.stats = stats;
    this.hashes = Buffer.from(hashes.buffer, hashes.byteOffset, count * HASH_SIZE);
    this.flags = flags;
    this.#stats = new StatColumns(stats);
  }

  get count(): number {
    return this.flags.length;
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

  /** What was set, but for the mode. */
  row(i: number): Omit<StatRow, 'mode'> {
    const [ino = 0n, size = 0n, mtimeNs = 0n, ctimeNs = 0n] = this.stats.subarray(i * STAT_COLUMNS);
    return { ino, size, mtimeNs, ctimeNs };
  }

  /**
   * When it was last written, ns since 1970. `ctime` alone tells too much: it changes with the owner, with each further name
   * that a file gets in the cache, and when the project is copied or restored from a backup. `mtime` alone may lie in the future.
   */
  writtenNs(i: number): bigint {
    const at = i * STAT_COLUMNS;
    const [mtimeNs = 0n, ctimeNs = 0n] = [this.stats[at + 2], this.stats[at + 3]];
    if (mtimeNs < ctimeNs) return mtimeNs;
    return ctimeNs;
  }

  /** Other times of a file whose digest is known, and may be remembered for them. @param stats columns of one file. */
  setStats(i: number, stats: BigInt64Array): void {
    this.stats.set(stats, i * STAT_COLUMNS);
    this.flags[i] = (this.flags[i] as number) | KNOWN;
  }

  setDigest(i: number, digest: Digest): void {
    this.hashes.write(digest.slice('blake3:'.length), i * HASH_SIZE, HASH_SIZE, 'hex');
  }

  /** Takes over the i-th file of other facts, and those after it. */
  copy(i: number, from: Columns, j: number, count = 1): void {
    this.stats.set(from.stats.subarray(j * STAT_COLUMNS, (j + count) * STAT_COLUMNS), i * STAT_COLUMNS);
    this.hashes.set(from.hashes.subarray(j * HASH_SIZE, (j + count) * HASH_SIZE), i * HASH_SIZE);
    this.flags.set(from.flags.subarray(j, j + count), i);
  }

  digest(i: number): Digest {
    return digestAt(this.hashes, i * HASH_SIZE);
  }

  hex(i: number): string {
    return this.hashes.toString('hex', i * HASH_SIZE, (i + 1) * HASH_SIZE);
  }

  /** Bytes. */
  size(i: number): number {
    return this.#stats.size(i);
  }

  executable(i: number): boolean {
    return ((this.flags[i] as number) & EXECUTABLE) !== 0;
  }

  /** µs since 1970, to tell later whether the file was touched since. */
  mtime(i: number): number {
    return this.#stats.mtime(i);
  }
}

function empty(count: number): Columns {
  return {
    stats: new BigInt64Array(count * STAT_COLUMNS),
    hashes: Buffer.alloc(count * HASH_SIZE),
    flags: new Uint8Array(count),
  };
}
