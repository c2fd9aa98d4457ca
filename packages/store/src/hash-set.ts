import type { Digest } from '@dag/model';
import { prefixOf } from './pack/format.ts';

const HASH_SIZE = 32;

/** Hashes that lie together; in the first chunk so few at first, as most sets stay small. */
const CHUNK = 1 << 13;
const FIRST = 1 << 5;

/**
 * A set of BLAKE3 hashes, some 45 bytes each: there may be millions. The hashes lie in chunks, of which only the first is ever
 * moved; slots, found by the first 4 bytes (open addressing), hold their numbers from 1 on.
 */
export class HashSet {
  #chunks: Uint8Array[] = [];
  #slots = new Uint32Array(128);
  #count = 0;

  has(hash: Uint8Array, at: number): boolean {
    return this.#slots[this.#slot(hash, at)] !== 0;
  }

  /** @returns false when it was there. */
  add(hash: Uint8Array, at: number): boolean {
    const slot = this.#slot(hash, at);
    if (this.#slots[slot] !== 0) return false;
    const [chunk, from] = this.#place(this.#count++);
    for (let k = 0; k < HASH_SIZE; k++) chunk[from + k] = hash[at + k] as number;
    this.#slots[slot] = this.#count;
    if (this.#count * 2 > this.#slots.length) this.#grow();
    return true;
  }

  get size(): number {
    return this.#count;
  }

  /** Whether something holds for all hashes, in the order of adding. */
  every(holds: (hash: Uint8Array, at: number) => boolean): boolean {
    for (let i = 0; i < this.#count; i++) if (!holds(...this.#place(i))) return false;
    return true;
  }

  clear(): void {
    this.#chunks = [];
    this.#slots = new Uint32Array(128);
    this.#count = 0;
  }

  /** Where the number of the hash is, or would be put. */
  #slot(hash: Uint8Array, at: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = prefixOf(hash, at) & mask; ; slot = (slot + 1) & mask) {
      const number = this.#slots[slot] as number;
      if (number === 0 || this.#is(number - 1, hash, at)) return slot;
    }
  }

  #is(i: number, hash: Uint8Array, at: number): boolean {
    const [chunk, from] = this.#place(i);
    for (let k = 0; k < HASH_SIZE; k++) if (chunk[from + k] !== hash[at + k]) return false;
    return true;
  }

  #place(i: number): [Uint8Array, number] {
    const n = Math.floor(i / CHUNK);
    let chunk = this.#chunks[n];
    const at = (i % CHUNK) * HASH_SIZE;
    if (chunk === undefined || at >= chunk.length) {
      const larger = new Uint8Array(n > 0 ? CHUNK * HASH_SIZE : Math.max(FIRST * HASH_SIZE, 2 * (chunk?.length ?? 0)));
      if (chunk !== undefined) larger.set(chunk);
      chunk = larger;
      this.#chunks[n] = chunk;
    }
    return [chunk, at];
  }

  #grow(): void {
    const slots = new Uint32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let i = 0; i < this.#count; i++) {
      const [chunk, from] = this.#place(i);
      let slot = prefixOf(chunk, from) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = i + 1;
    }
    this.#slots = slots;
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
