import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { DIGEST_BYTES, HEADER_MOST, MAGIC, parseHeader } from './file.ts';

/** Up to so many bytes all of a checkpoint is read: some milliseconds. */
const SMALL = 4 * 1024 * 1024;

/**
 * Whether a checkpoint seems to be whole, at little cost: of a small one every byte is checked, of a larger one its header and
 * length, so that one that was cut off is found and a flipped bit is not. Who restores it reads all of it.
 */
export function looksWhole(file: string): boolean {
  let handle: number;
  try {
    handle = openSync(file, 'r');
  } catch (error) {
    // One that can't be read may well be whole.
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
  try {
    const { size } = fstatSync(handle);
    return size <= SMALL ? isUntouched(readAt(handle, 0, size)) : hasItsLength(handle, size);
  } catch {
    return false;
  } finally {
    closeSync(handle);
  }
}

function isUntouched(bytes: Buffer): boolean {
  const hashed = bytes.subarray(0, Math.max(0, bytes.length - DIGEST_BYTES));
  const digest = createHash('sha256').update(hashed).digest();
  return hashed.subarray(0, MAGIC.length).equals(MAGIC) && digest.equals(bytes.subarray(hashed.length));
}

function hasItsLength(handle: number, size: number): boolean {
  const head = readAt(handle, 0, MAGIC.length + 4);
  const headerBytes = head.readUInt32LE(MAGIC.length);
  if (!head.subarray(0, MAGIC.length).equals(MAGIC) || headerBytes > HEADER_MOST) return false;
  const { tensors, state } = parseHeader(readAt(handle, head.length, headerBytes));
  const named = tensors.reduce((sum, { bytes }) => sum + bytes, state);
  return head.length + headerBytes + named + DIGEST_BYTES === size;
}

/** @returns fewer bytes where there are no more. */
function readAt(handle: number, from: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let at = 0;
  for (let read = -1; at < length && read !== 0; at += read) read = readSync(handle, bytes, at, length - at, from + at);
  return bytes.subarray(0, at);
}
