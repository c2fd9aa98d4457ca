import { EntryList } from '../format/entry.ts';
import { INDEX_ENTRIES } from '../format/limits.ts';
import { encodeIndex, type Head, type IndexObject, type Pack, type Place } from './object.ts';

/** Gathers entries of other indexes for a new one. */
export class IndexBuilder {
  readonly packs: Pack[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #entries = new EntryList();

  get count(): number {
    return this.#entries.count;
  }

  get isFull(): boolean {
    return this.count >= INDEX_ENTRIES;
  }

  add(hash: Uint8Array, { pack, ...entry }: Place): void {
    let number = this.#numbers.get(pack.name);
    if (number === undefined) {
      number = this.packs.push(pack) - 1;
      this.#numbers.set(pack.name, number);
    }
    this.#entries.add(hash, { ...entry, pack: number });
  }

  build(head: Partial<Head>): IndexObject {
    return encodeIndex(head, this.packs, this.#entries);
  }
}

/** As many builders as it takes. */
export class IndexBuilders {
  readonly parts: IndexBuilder[] = [];
  count = 0;

  add(hash: Uint8Array, place: Place): void {
    if (this.parts.at(-1)?.isFull !== false) this.parts.push(new IndexBuilder());
    this.parts.at(-1)?.add(hash, place);
    this.count++;
  }
}
