import { type BigIntStats, closeSync, constants, fstatSync, lstatSync, openSync, readSync, statSync } from 'node:fs';
import { type Digest, FailureError } from '@dag/model';
import {
  type FileStats,
  hashBytes,
  hashOpenFile,
  isErrno,
  isSettled,
  nowNs,
  SMALL_LIMIT,
  type StatCache,
  sameStats,
} from '@dag/store';

/** How often a file that changes under our eyes is read again. */
const ATTEMPTS = 3;

/** A file of so many bytes has a record of its own, too: one that was moved, or whose commit was broken off, is not read again. */
export const WORTH_RECORD = 1n << 20n;

/** A file's content as it was read: small ones as bytes (valid until the next read), large ones already taken care of. */
export interface ReadFile {
  readonly digest: Digest;
  readonly stats: BigIntStats;
  /** Whether the digest may be remembered for these stats. */
  readonly settled: boolean;
}

const small = Buffer.allocUnsafeSlow(SMALL_LIMIT + 1);

function withCtime({ dev, ino, size, mtimeNs }: BigIntStats, ctimeNs: bigint): FileStats {
  return { dev, ino, size, mtimeNs, ctimeNs };
}

export function statOf(path: string, follow: boolean): BigIntStats {
  return follow ? statSync(path, { bigint: true }) : lstatSync(path, { bigint: true });
}

/**
 * Digest of a file, by the stat cache or by reading it. A file that changes while it is read is read again, at most
 * three times.
 * @param onSmall gets the content of a small file, valid during the call.
 * @param together whether the caller remembers files by their folder.
 * @param large hashes an open large file in the caller's way (storing it, say); default: just hashing.
 * @param trust whether a digest from the stat cache will do without reading.
 */
export function readVerified(
  path: string,
  shown: string,
  options: {
    readonly follow: boolean;
    readonly statCache: StatCache;
    readonly trust: (digest: Digest) => boolean;
    readonly together?: boolean;
    readonly onSmall?: (bytes: Uint8Array, digest: Digest) => void;
    readonly large?: (fd: number, stats: BigIntStats) => Digest;
  },
): ReadFile {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const before = nowNs();
    const stats = statOf(path, options.follow);
    if (!stats.isFile()) break;
    const known = options.statCache.find(stats);
    if (known !== undefined && options.trust(known)) return { digest: known, stats, settled: true };
    const flags = constants.O_RDONLY | (options.follow ? 0 : constants.O_NOFOLLOW) | constants.O_NONBLOCK;
    let fd: number;
    try {
      fd = openSync(path, flags);
    } catch (error) {
      if (isErrno(error, 'ELOOP')) continue;
      throw error;
    }
    try {
      const read = readOpen(fd, stats, options);
      const after = fstatSync(fd, { bigint: true });
      if (read === undefined || !isUntouched(stats, after, options.large !== undefined)) continue;
      const settled = isSettled(stats, before);
      const isTold = options.together === true && stats.size < WORTH_RECORD;
      if (settled && !isTold) options.statCache.record(stats, read);
      return { digest: read, stats, settled };
    } finally {
      closeSync(fd);
    }
  }
  throw new FailureError({
    code: 'io',
    message: `can't read ${shown}: it changes while it is read`,
    path: shown,
    hint: 'wait until whatever writes it has ended',
  });
}

/** undefined when the size is not what it was a moment ago. */
function readOpen(
  fd: number,
  stats: BigIntStats,
  options: {
    readonly onSmall?: (bytes: Uint8Array, digest: Digest) => void;
    readonly large?: (fd: number, stats: BigIntStats) => Digest;
  },
): Digest | undefined {
  if (stats.size > BigInt(SMALL_LIMIT))
    return options.large?.(fd, stats) ?? hashOpenFile(fd, undefined, Number(stats.size)).digest;
  let size = 0;
  for (;;) {
    const count = readSync(fd, small, size, small.length - size, size);
    size += count;
    if (count === 0 || size === Number(stats.size) || size === small.length) break;
  }
  if (size !== Number(stats.size)) return undefined;
  const bytes = small.subarray(0, size);
  const digest = hashBytes(bytes);
  options.onSmall?.(bytes, digest);
  return digest;
}

/** Making a file an object by link changes its ctime, not its mtime; anything else that does is a change. */
function isUntouched(before: BigIntStats, after: BigIntStats, mayBeLinked: boolean): boolean {
  return sameStats(before, mayBeLinked && after.nlink > before.nlink ? withCtime(after, before.ctimeNs) : after);
}
