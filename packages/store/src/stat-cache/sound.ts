import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const META_SIZE = 160;
const MAGIC = 0xbeefc0de;

/**
 * Whether an lmdb file can be mapped without the risk of reading past its end, which would kill the process: at least one
 * of its two meta pages is whole, and the newest one names no page that the file doesn't have.
 */
export function isSoundLmdb(file: string): boolean {
  const fd = openSync(file, 'r');
  try {
    const size = BigInt(fstatSync(fd).size);
    if (size === 0n) return true;
    const first = readMeta(fd, 0);
    const second = first === undefined ? undefined : readMeta(fd, first.pageSize);
    if (first === undefined || second === undefined || second.pageSize !== first.pageSize) return false;
    const newest = second.transaction > first.transaction ? second : first;
    const none = 0xffff_ffff_ffff_ffffn;
    if (newest.root !== none && newest.root > newest.lastPage) return false;
    return (newest.lastPage + 1n) * BigInt(newest.pageSize) <= size;
  } finally {
    closeSync(fd);
  }
}

interface Meta {
  readonly pageSize: number;
  readonly root: bigint;
  readonly lastPage: bigint;
  readonly transaction: bigint;
}

/** lmdb.h: a page header of 24 bytes, then MDB_meta. */
function readMeta(fd: number, at: number): Meta | undefined {
  const bytes = Buffer.alloc(META_SIZE);
  if (readSync(fd, bytes, 0, META_SIZE, at) < META_SIZE || bytes.readUInt32LE(24) !== MAGIC) return undefined;
  const pageSize = bytes.readUInt32LE(48);
  if (pageSize < 512 || pageSize > 65536) return undefined;
  return {
    pageSize,
    root: bytes.readBigUInt64LE(136),
    lastPage: bytes.readBigUInt64LE(144),
    transaction: bytes.readBigUInt64LE(152),
  };
}
