import { closeSync, openSync, readSync } from 'node:fs';
import { blake3Digest, type Digest } from '@dag/model';
import { blake3 as portableBlake3 } from '@noble/hashes/blake3.js';
import { loadNative } from './native.ts';

/** Feeds bytes in, gives their BLAKE3 digest once. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  digest(): Digest;
}

/** One implementation of BLAKE3: all give the same digests. */
export interface Hashing {
  readonly name: 'native' | 'portable';
  hash(bytes: Uint8Array): Digest;
  hasher(): Hasher;
}

/** Buffer for reading files, in bytes: larger ones are no faster from the page cache. */
export const READ_SIZE = 1 << 20;

interface NativeBlake3 {
  blake3(input: Uint8Array): Buffer;
  Blake3Hasher: new () => { update(input: Uint8Array): unknown; digestBuffer(): Buffer };
}

/** BLAKE3 in JavaScript (@noble/hashes): runs everywhere, some 100 times slower. */
export const portableHashing: Hashing = {
  name: 'portable',
  hash: (bytes) => blake3Digest(hex(portableBlake3(bytes))),
  hasher() {
    const state = portableBlake3.create();
    return {
      update: (bytes) => void state.update(bytes),
      digest: () => blake3Digest(hex(state.digest())),
    };
  },
};

/** BLAKE3 compiled (@napi-rs/blake-hash); undefined where there is no binary for this machine. */
export function nativeHashing(): Hashing | undefined {
  const native = loadNative('@napi-rs/blake-hash') as NativeBlake3 | undefined;
  if (native === undefined) return undefined;
  return {
    name: 'native',
    hash: (bytes) => `blake3:${native.blake3(bytes).toString('hex')}` as Digest,
    hasher() {
      const state = new native.Blake3Hasher();
      return {
        update: (bytes) => void state.update(bytes),
        digest: () => blake3Digest(state.digestBuffer().toString('hex')),
      };
    },
  };
}

let chosen: Hashing | undefined;

/** The fastest implementation that this machine has; looked for once. */
export function hashing(): Hashing {
  chosen ??= nativeHashing() ?? portableHashing;
  return chosen;
}

export function newHasher(): Hasher {
  return hashing().hasher();
}

/** The digest of bytes. */
export function hashBytes(bytes: Uint8Array): Digest {
  return hashing().hash(bytes);
}

/** The digest of a text's UTF-8 bytes. */
export function hashText(text: string): Digest {
  return hashBytes(Buffer.from(text, 'utf8'));
}

/** The digest and size in bytes of a file's content as it is read now. Errors of the file system are thrown as they are. */
export function hashFile(path: string): { readonly digest: Digest; readonly size: number } {
  const fd = openSync(path, 'r');
  try {
    return hashOpenFile(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Hashes an open file from its start; `onChunk` gets each piece (valid only during the call) after it was hashed.
 * @param limit nothing is read beyond so many bytes: for a caller that knows the size, and looks again whether it is that.
 */
export function hashOpenFile(
  fd: number,
  onChunk?: (bytes: Uint8Array) => void,
  limit = Number.POSITIVE_INFINITY,
): { readonly digest: Digest; readonly size: number } {
  const buffer = readBuffer();
  let chunk = readChunk(fd, buffer, 0, limit);
  // A hasher for one chunk costs more than hashing 30 kB.
  const hasher = chunk.length < buffer.length ? undefined : newHasher();
  const digest = hasher === undefined ? hashBytes(chunk) : undefined;
  let size = 0;
  for (; chunk.length > 0; chunk = chunk.length < buffer.length ? NOTHING : readChunk(fd, buffer, size, limit)) {
    hasher?.update(chunk);
    onChunk?.(chunk);
    size += chunk.length;
  }
  return { digest: hasher?.digest() ?? (digest as Digest), size };
}

const NOTHING = Buffer.alloc(0);

/** Fills the buffer from a place in the file; less only at its end, or at the limit. */
function readChunk(fd: number, buffer: Buffer, from: number, limit: number): Buffer {
  const wanted = Math.min(buffer.length, limit - from);
  let size = 0;
  for (let count = -1; count !== 0 && size < wanted; size += count) {
    count = readSync(fd, buffer, size, wanted - size, from + size);
  }
  return buffer.subarray(0, size);
}

let shared: Buffer | undefined;

/** One buffer a thread; synchronous use only. */
function readBuffer(): Buffer {
  shared ??= Buffer.allocUnsafeSlow(READ_SIZE);
  return shared;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
