import { KNOWN, type RecalledFolder, STAT_COLUMNS } from '@dag/store';
import type { ComparePart } from '../threads/protocol.ts';
import { FileFacts } from './facts.ts';
import type { FolderNode } from './node.ts';

/**
 * What the record of a folder knows of its files. In three steps: the files are compared with what it says of them (`part`),
 * `differ` hears which are others, `finish` fills in the facts of the rest.
 */
export class FolderRecall {
  readonly #node: FolderNode;
  readonly #record: RecalledFolder;
  /** Of each file that the record has, by name: its place in the folder, and in the record. undefined: all, in one order. */
  readonly #places: { readonly inFolder: Uint32Array; readonly inRecord: Uint32Array } | undefined;
  readonly #differing: number[] = [];
  /** The folder's names while parts of it are asked for, one after the other. */
  #names: readonly string[] | undefined;
  #isWhole = false;

  constructor(node: FolderNode, record: RecalledFolder) {
    this.#node = node;
    this.#record = record;
    this.#places = node.isListedAsRecalled ? undefined : matching(node.files, record.names);
  }

  /** How many files are to be compared. */
  get count(): number {
    return this.#places?.inFolder.length ?? this.#record.flags.length;
  }

  /** Some of them, and what the record says of them. @param to after the last. */
  part(from: number, to: number): ComparePart {
    const { abs, id } = this.#node;
    const { stats } = this.#record;
    const about = { folder: abs, dev: Number(id.dev) };
    const places = this.#places;
    if (places === undefined) {
      const isAll = from === 0 && to === this.count;
      if (!isAll) this.#names ??= this.#record.text.split('\0');
      const names = isAll ? this.#record.text : (this.#names?.slice(from, to).join('\0') ?? '');
      if (to === this.count) this.#names = undefined;
      return { ...about, names, stats: stats.slice(from * STAT_COLUMNS, to * STAT_COLUMNS) };
    }
    const names = Array.from(places.inFolder.subarray(from, to), (i) => this.#node.files[i]);
    const numbers = new BigInt64Array((to - from) * STAT_COLUMNS);
    for (let i = from; i < to; i++) {
      const row = (places.inRecord[i] as number) * STAT_COLUMNS;
      numbers.set(stats.subarray(row, row + STAT_COLUMNS), (i - from) * STAT_COLUMNS);
    }
    return { ...about, names: names.join('\0'), stats: numbers };
  }

  /** Takes which files of a part are others. @param from where it began. */
  differ(from: number, places: readonly number[]): void {
    for (const i of places) this.#differing.push(from + i);
  }

  /** Whether the record tells of all files in the folder, as they are, and of no others. Known in the end. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** @returns which files of the folder it doesn't know, in their order. */
  finish(): number[] {
    const { flags } = this.#record;
    const places = this.#places;
    const isKnown = new Uint8Array(this.#node.fileCount);
    for (let i = 0; i < this.count; i++) {
      const [at, row] = places === undefined ? [i, i] : [places.inFolder[i] as number, places.inRecord[i] as number];
      isKnown[at] = (flags[row] as number) & KNOWN;
    }
    for (const i of this.#differing) isKnown[places?.inFolder[i] ?? i] = 0;
    this.#takeOver();
    const unknown: number[] = [];
    for (let i = isKnown.indexOf(0); i !== -1; i = isKnown.indexOf(0, i + 1)) unknown.push(i);
    this.#isWhole = places === undefined && unknown.length === 0;
    return unknown;
  }

  #takeOver(): void {
    const node = this.#node;
    const places = this.#places;
    if (places === undefined && node.followed.length === 0) {
      node.facts = new FileFacts(this.#record);
    } else if (places === undefined) {
      node.facts.copy(0, this.#record, 0, this.count);
    } else {
      for (let i = 0; i < this.count; i++) {
        node.facts.copy(places.inFolder[i] as number, this.#record, places.inRecord[i] as number);
      }
    }
  }
}

function matching(names: readonly string[], recorded: readonly string[]) {
  const rows = new Map(recorded.map((name, row) => [name, row]));
  const inFolder: number[] = [];
  const inRecord: number[] = [];
  for (const [i, name] of names.entries()) {
    const row = rows.get(name);
    if (row === undefined) continue;
    inFolder.push(i);
    inRecord.push(row);
  }
  return { inFolder: Uint32Array.from(inFolder), inRecord: Uint32Array.from(inRecord) };
}
