import { isHashAt, prefixAt, prefixOf } from './format.ts';
import type { PackReader } from './read.ts';

/** From so many packs on they are not asked one after the other. */
const TABLE_FROM = 4;

/** Which pack has an object and where in its index, for all packs of a cache together. */
export interface PackTable {
  /** @param at where the hash starts in `hash`. */
  find(hash: Uint8Array, at: number): { readonly reader: PackReader; readonly i: number } | undefined;
}

/** Asks few packs in turn; of many it makes a hash table at the first look-up, so that their number doesn't matter. */
export function packTable(readers: readonly PackReader[]): PackTable {
  return readers.length < TABLE_FROM ? inTurn(readers) : hashed(readers);
}

function inTurn(readers: readonly PackReader[]): PackTable {
  return {
    find(hash, at) {
      for (const reader of readers) {
        const i = reader.search(hash, at);
        if (i !== -1) return { reader, i };
      }
      return undefined;
    },
  };
}

/** Open addressing by the first 4 bytes of the hash; a slot is the pack's number (from 1) and the place in its index. */
function hashed(readers: readonly PackReader[]): PackTable {
  let slots: Uint32Array | undefined;
  const fill = (): Uint32Array => {
    const total = readers.reduce((sum, { index }) => sum + index.count, 0);
    const made = new Uint32Array(2 * 2 ** Math.ceil(Math.log2(2 * total + 2)));
    const mask = made.length / 2 - 1;
    for (const [n, { index }] of readers.entries()) {
      for (let i = 0; i < index.count; i++) {
        let slot = prefixAt(index, i) & mask;
        while (made[2 * slot] !== 0) slot = (slot + 1) & mask;
        made[2 * slot] = n + 1;
        made[2 * slot + 1] = i;
      }
    }
    return made;
  };
  return {
    find(hash, at) {
      slots ??= fill();
      const mask = slots.length / 2 - 1;
      for (let slot = prefixOf(hash, at) & mask; ; slot = (slot + 1) & mask) {
        const n = slots[2 * slot] as number;
        if (n === 0) return undefined;
        const reader = readers[n - 1] as PackReader;
        const i = slots[2 * slot + 1] as number;
        if (isHashAt(reader.index, i, hash, at)) return { reader, i };
      }
    },
  };
}
