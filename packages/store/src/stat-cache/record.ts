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

export function encodeKey(stats: FileStats, into: Buffer): void {
  into.writeBigUInt64BE(BigInt.asUintN(64, stats.dev), 0);
  into.writeBigUInt64BE(BigInt.asUintN(64, stats.ino), 8);
}

export function encodeValue(key: Buffer, stats: FileStats, digest: Digest): Buffer {
  const value = Buffer.allocUnsafe(VALUE_SIZE);
  value.writeBigInt64LE(stats.size, 0);
  value.writeBigInt64LE(stats.mtimeNs, 8);
  value.writeBigInt64LE(stats.ctimeNs, 16);
  value.write(digestHex(digest), 24, 'hex');
  value.writeUInt32LE(checkSum(key, value), 56);
  return value;
}

/** The digest in a record; undefined when the record is damaged or stands for another state of the file. */
export function decodeValue(key: Buffer, value: Buffer, stats: FileStats): Digest | undefined {
  if (value.length !== VALUE_SIZE) return undefined;
  if (
    value.readBigInt64LE(0) !== stats.size ||
    value.readBigInt64LE(8) !== stats.mtimeNs ||
    value.readBigInt64LE(16) !== stats.ctimeNs ||
    value.readUInt32LE(56) !== checkSum(key, value)
  ) {
    return undefined;
  }
  return `blake3:${value.toString('hex', 24, 56)}` as Digest;
}

/** 32-bit FNV-1a over words, against disk faults, not against people. */
function checkSum(key: Buffer, value: Buffer): number {
  let sum = 0x811c9dc5;
  for (let at = 0; at < KEY_SIZE; at += 4) sum = mix(sum, key.readUInt32LE(at));
  for (let at = 0; at < VALUE_SIZE - 4; at += 4) sum = mix(sum, value.readUInt32LE(at));
  return sum >>> 0;
}

function mix(sum: number, word: number): number {
  const mixed = Math.imul(sum ^ word, 0x01000193);
  return mixed ^ (mixed >>> 15);
}
