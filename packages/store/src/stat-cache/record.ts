import type { BigIntStats } from 'node:fs';
import { type Digest, digestHex } from '@dag/model';

/**
 * A stat cache record, version 1. Key: u64 device, u64 inode, big-endian, so that files made together lie together.
 * Value, little-endian: i64 size, i64 mtime and i64 ctime in ns, 32 bytes hash, u32 check sum of key and all before.
 */
export const KEY_SIZE = 16;
export const VALUE_SIZE = 60;

/** What tells that a file is still the same one with the same content. Times in ns since 1970. */
export type FileStats = Pick<BigIntStats, 'dev' | 'ino' | 'size' | 'mtimeNs' | 'ctimeNs'>;

/** Whether two looks at a file saw the same file, unchanged. */
export function sameStats(a: FileStats, b: FileStats): boolean {
  return a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs && a.dev === b.dev;
}

export function encodeKey({ dev, ino }: Pick<FileStats, 'dev' | 'ino'>, into: Buffer): void {
  const view = viewOf(into);
  view.setBigUint64(0, dev);
  view.setBigUint64(8, ino);
}

export function encodeValue(key: Buffer, stats: FileStats, digest: Digest): Buffer {
  const value = Buffer.allocUnsafe(VALUE_SIZE);
  const view = viewOf(value);
  view.setBigInt64(0, stats.size, true);
  view.setBigInt64(8, stats.mtimeNs, true);
  view.setBigInt64(16, stats.ctimeNs, true);
  value.write(digestHex(digest), 24, 'hex');
  view.setUint32(56, checkSum(key, value), true);
  return value;
}

/** The digest in a record; undefined when the record is damaged or stands for another state of the file. */
export function decodeValue(key: Buffer, value: Buffer, stats: FileStats): Digest | undefined {
  if (value.length !== VALUE_SIZE) return undefined;
  const view = viewOf(value);
  if (
    view.getBigInt64(0, true) !== stats.size ||
    view.getBigInt64(8, true) !== stats.mtimeNs ||
    view.getBigInt64(16, true) !== stats.ctimeNs ||
    view.getUint32(56, true) !== checkSum(key, value)
  ) {
    return undefined;
  }
  return `blake3:${value.toString('hex', 24, 56)}` as Digest;
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** 32-bit FNV-1a over words, against disk faults, not against people. */
function checkSum(key: Buffer, value: Buffer): number {
  let sum = 0x811c9dc5;
  const [own, its] = [viewOf(key), viewOf(value)];
  for (let at = 0; at < KEY_SIZE; at += 4) sum = mix(sum, own.getUint32(at, true));
  for (let at = 0; at < VALUE_SIZE - 4; at += 4) sum = mix(sum, its.getUint32(at, true));
  return sum >>> 0;
}

function mix(sum: number, word: number): number {
  const mixed = Math.imul(sum ^ word, 0x01000193);
  return mixed ^ (mixed >>> 15);
}
