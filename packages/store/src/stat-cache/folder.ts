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
}

// Version 1, little-endian: 8 bytes of BLAKE3 of all that follows; u32 version; u32 count; u32 bytes of names; u32 1 when there
// is a tree; 32 bytes hash of the tree; 32 bytes hash of the rest; stats as i64; hashes; flags; names with a NUL between.
const VERSION = 1;
const SUM_SIZE = 8;
const HEAD_SIZE = SUM_SIZE + 16 + 64;
const STATS_SIZE = 8 * STAT_COLUMNS;
const HASH_SIZE = 32;

export function encodeFolder({ names, stats, hashes, flags, tree }: FolderRecord): Buffer {
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
  bytes.set(new Uint8Array(stats.buffer, stats.byteOffset, count * STATS_SIZE), HEAD_SIZE);
  bytes.set(hashes.subarray(0, count * HASH_SIZE), hashesAt);
  bytes.set(flags.subarray(0, count), flagsAt);
  bytes.set(text, flagsAt + count);
  bytes.set(sumOf(bytes), 0);
  return bytes;
}

/** Reads a record, trusting nothing; undefined where it is damaged or of another version. `names` is made when first asked for. */
export function decodeFolder(bytes: Buffer): (FolderRecord & { readonly text: string }) | undefined {
  if (bytes.length < HEAD_SIZE || !sumOf(bytes).equals(bytes.subarray(0, SUM_SIZE))) return undefined;
  const [version, count, textSize, hasTree] = [0, 1, 2, 3].map((i) => bytes.readUInt32LE(SUM_SIZE + 4 * i)) as [
    number,
    number,
    number,
    number,
  ];
  const [hashesAt, flagsAt] = [HEAD_SIZE + count * STATS_SIZE, HEAD_SIZE + count * (STATS_SIZE + HASH_SIZE)];
  if (version !== VERSION || bytes.length !== flagsAt + count + textSize) return undefined;
  const stats = statsIn(bytes.subarray(HEAD_SIZE, hashesAt));
  const text = bytes.toString('utf8', flagsAt + count);
  let names: string[] | undefined;
  return {
    text,
    get names() {
      names ??= count === 0 ? [] : text.split('\0');
      return names;
    },
    stats,
    hashes: bytes.subarray(hashesAt, flagsAt),
    flags: bytes.subarray(flagsAt, flagsAt + count),
    tree:
      hasTree === 1
        ? { digest: digestAt(bytes, SUM_SIZE + 16), rest: digestAt(bytes, SUM_SIZE + 16 + HASH_SIZE) }
        : undefined,
  };
}

function sumOf(bytes: Buffer): Buffer {
  return hashOf(hashBytes(bytes.subarray(SUM_SIZE))).subarray(0, SUM_SIZE);
}

/** The numbers in some bytes: the same memory, where it is aligned. */
function statsIn(bytes: Buffer): BigInt64Array {
  const aligned = bytes.byteOffset % BigInt64Array.BYTES_PER_ELEMENT === 0 ? bytes : Uint8Array.from(bytes);
  return new BigInt64Array(aligned.buffer, aligned.byteOffset, bytes.length / BigInt64Array.BYTES_PER_ELEMENT);
}
