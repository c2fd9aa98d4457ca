import type { Digest } from '@dag/model';
import { hashBytes } from '../hash.ts';
import { digestAt, hashOf } from '../hash-set.ts';
import { STAT_COLUMNS } from './columns.ts';

/** The file's digest is known, and its times were settled when it was read. */
export const KNOWN = 1;
export const EXECUTABLE = 2;

/** What is known of the files of one folder, column by column, in the order in which the folder was listed. */
export interface FolderRecord {
  readonly names: readonly string[];
  /** `STAT_COLUMNS` numbers a file. All files are on the folder's device. */
  readonly stats: BigInt64Array;
  /** 32 bytes a file. */
  readonly hashes: Uint8Array;
  /** `KNOWN` and `EXECUTABLE`, a byte a file. */
  readonly flags: Uint8Array;
  /** The folder's tree, when all files are these and the rest of it has this digest; undefined where nobody knows. */
  readonly tree: { readonly rest: Digest; readonly digest: Digest } | undefined;
  /** The folder's own times when it held these files and nothing else; undefined where it held more, or one can't tell. */
  readonly listed?: FolderTimes | undefined;
}

/** What changes whenever a name comes into a folder or goes. */
export interface FolderTimes {
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

// Version 2, little-endian: 8 bytes of BLAKE3 of all that follows; u32 version; u32 count; u32 bytes of names; u32 1 when there
// is a tree; 32 bytes hash of the tree; 32 bytes hash of the rest; i64 mtime and ctime of the folder, 0 where they say nothing;
// stats as i64; hashes; flags; names with a NUL between. Version 1 has no times.
const VERSION = 2;
const SUM_SIZE = 8;
const TIMES_AT = SUM_SIZE + 16 + 64;
const HEAD_SIZE = TIMES_AT + 16;
const STATS_SIZE = 8 * STAT_COLUMNS;
const HASH_SIZE = 32;

export function encodeFolder({ names, stats, hashes, flags, tree, listed }: FolderRecord): Buffer {
  const count = names.length;
  const text = Buffer.from(names.join('\0'), 'utf8');
  const [hashesAt, flagsAt] = [HEAD_SIZE + count * STATS_SIZE, HEAD_SIZE + count * (STATS_SIZE + HASH_SIZE)];
  const bytes = Buffer.alloc(flagsAt + count + text.length);
  for (const [i, value] of [VERSION, count, text.length, tree === undefined ? 0 : 1].entries()) {
    bytes.writeUInt32LE(value, SUM_SIZE + 4 * i);
  }
  if (tree !== undefined) {
    bytes.set(hashOf(tree.digest), SUM_SIZE + 16);
    bytes.set(hashOf(tree.rest), SUM_SIZE + 16 + HASH_SIZE);
  }
  bytes.writeBigInt64LE(listed?.mtimeNs ?? 0n, TIMES_AT);
  bytes.writeBigInt64LE(listed?.ctimeNs ?? 0n, TIMES_AT + 8);
  bytes.set(new Uint8Array(stats.buffer, stats.byteOffset, count * STATS_SIZE), HEAD_SIZE);
  bytes.set(hashes.subarray(0, count * HASH_SIZE), hashesAt);
  bytes.set(flags.subarray(0, count), flagsAt);
  bytes.set(text, flagsAt + count);
  bytes.set(sumOf(bytes), 0);
  return bytes;
}

/** Reads a record, trusting nothing; undefined where it is damaged or of another version. `names` is made when first asked for, `text` each time. */
export function decodeFolder(bytes: Buffer): (FolderRecord & { readonly text: string }) | undefined {
  if (bytes.length < TIMES_AT || !sumOf(bytes).equals(bytes.subarray(0, SUM_SIZE))) return undefined;
  const [version, count, textSize, hasTree] = [0, 1, 2, 3].map((i) => bytes.readUInt32LE(SUM_SIZE + 4 * i)) as [
    number,
    number,
    number,
    number,
  ];
  const statsAt = version === 1 ? TIMES_AT : HEAD_SIZE;
  const [hashesAt, flagsAt] = [statsAt + count * STATS_SIZE, statsAt + count * (STATS_SIZE + HASH_SIZE)];
  if ((version !== 1 && version !== VERSION) || bytes.length !== flagsAt + count + textSize) return undefined;
  const stats = statsIn(bytes.subarray(statsAt, hashesAt));
  const text = (): string => bytes.toString('utf8', flagsAt + count);
  let names: string[] | undefined;
  return {
    get text() {
      return text();
    },
    get names() {
      names ??= count === 0 ? [] : text().split('\0');
      return names;
    },
    stats,
    hashes: bytes.subarray(hashesAt, flagsAt),
    flags: bytes.subarray(flagsAt, flagsAt + count),
    tree:
      hasTree === 1
        ? { digest: digestAt(bytes, SUM_SIZE + 16), rest: digestAt(bytes, SUM_SIZE + 16 + HASH_SIZE) }
        : undefined,
    listed: version === 1 ? undefined : timesIn(bytes),
  };
}

function timesIn(bytes: Buffer): FolderTimes | undefined {
  const [mtimeNs, ctimeNs] = [bytes.readBigInt64LE(TIMES_AT), bytes.readBigInt64LE(TIMES_AT + 8)];
  return ctimeNs === 0n ? undefined : { mtimeNs, ctimeNs };
}

function sumOf(bytes: Buffer): Buffer {
  return hashOf(hashBytes(bytes.subarray(SUM_SIZE))).subarray(0, SUM_SIZE);
}

/** The numbers in some bytes: the same memory, where it is aligned. */
function statsIn(bytes: Buffer): BigInt64Array {
  const aligned = bytes.byteOffset % BigInt64Array.BYTES_PER_ELEMENT === 0 ? bytes : Uint8Array.from(bytes);
  return new BigInt64Array(aligned.buffer, aligned.byteOffset, bytes.length / BigInt64Array.BYTES_PER_ELEMENT);
}
