import type { Digest } from '@dag/model';
import { prefixOf } from './pack/format.ts';

const HASH_SIZE = 32;

/** A set of BLAKE3 hashes, some 50 bytes each: there may be millions. Open addressing by their first 4 bytes. */
export class HashSet {
  #bytes = new Uint8Array(64 * HASH_SIZE);
  #taken = new Uint8Array(64);
  #count = 0;

  has(hash: Uint8Array, at: number): boolean {
    return this.#taken[this.#slot(hash, at)] === 1;
  }

  /** @returns false when it was there. */
  add(hash: Uint8Array, at: number): boolean {
    const slot = this.#slot(hash, at);
    if (this.#taken[slot] === 1) return false;
    this.#taken[slot] = 1;
    for (let k = 0; k < HASH_SIZE; k++) this.#bytes[slot * HASH_SIZE + k] = hash[at + k] as number;
    if (++this.#count * 4 > this.#taken.length * 3) this.#grow();
    return true;
  }

  clear(): void {
    this.#bytes = new Uint8Array(64 * HASH_SIZE);
    this.#taken = new Uint8Array(64);
    this.#count = 0;
  }

  /** Where the hash is, or would be put. */
  #slot(hash: Uint8Array, at: number): number {
    const mask = this.#taken.length - 1;
    let slot = prefixOf(hash, at) & mask;
    while (this.#taken[slot] === 1 && !this.#isAt(slot, hash, at)) slot = (slot + 1) & mask;
    return slot;
  }

  #isAt(slot: number, hash: Uint8Array, at: number): boolean {
    for (let k = 0; k < HASH_SIZE; k++) if (this.#bytes[slot * HASH_SIZE + k] !== hash[at + k]) return false;
    return true;
  }

  #grow(): void {
    const [bytes, taken] = [this.#bytes, this.#taken];
    this.#bytes = new Uint8Array(bytes.length * 2);
    this.#taken = new Uint8Array(taken.length * 2);
    this.#count = 0;
    for (let slot = 0; slot < taken.length; slot++) if (taken[slot] === 1) this.add(bytes, slot * HASH_SIZE);
  }
}

/** The 32 bytes that a digest names. */
export function hashOf(digest: Digest): Buffer {
  return Buffer.from(digest.slice('blake3:'.length), 'hex');
}

/** The digest for the hash that stands in `hash` from `at` on. */
export function digestAt(hash: Uint8Array, at: number): Digest {
  return `blake3:${Buffer.from(hash.buffer, hash.byteOffset + at, HASH_SIZE).toString('hex')}` as Digest;
}
