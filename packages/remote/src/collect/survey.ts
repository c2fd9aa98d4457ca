import { HashSet } from '@dag/store';
import { IndexBuilders } from '../index/builder.ts';
import type { Catalog } from '../index/catalog.ts';
import type { IndexObject, Pack, Place } from '../index/object.ts';
import type { Live } from './live.ts';

/** What an entry costs in a pack beside its bytes, and a pack beside its entries: about. */
const ENTRY_COST = 52;
const PACK_COST = 80;
/** A pack is left as it is as long as this share of it is needed. */
const WORTH_KEEPING = 0.5;

/** An entry that is to lie in another pack. */
export interface Copy {
  readonly hash: Buffer;
  readonly place: Place;
  /** Whether its pack may be removed by another collector at any moment. */
  readonly isLeaving: boolean;
}

/** How the entries of all indexes fall into those that stay, and those that don't. */
export interface Survey {
  /** Indexes that a new one is to replace. */
  readonly rewritten: readonly IndexObject[];
  /** Indexes that stay as they are: they hold nothing else than what is needed. */
  readonly spared: readonly IndexObject[];
  /** What stays of those that are rewritten, and what was marked and is needed. */
  readonly kept: IndexBuilders;
  /** What nothing needs, and what is copied to a better place. */
  readonly marked: IndexBuilders;
  /** What is to be copied before anything counts. */
  readonly copies: readonly Copy[];
  /** Every hash that stays. */
  readonly placed: HashSet;
}

/** What a survey goes by, beside what is needed. */
export interface Circumstances {
  /** Indexes whose makers did not know of a marking: they are rewritten in any case. */
  readonly late: ReadonlySet<IndexObject>;
  /** A push is under way: nothing is marked. */
  readonly isOpen: boolean;
  /** Whether others may remove what this index marks, or will soon: what is needed of it is copied. */
  readonly isLeaving: (index: IndexObject) => boolean;
}

/** Looks at every entry of every index. Of content that stands in several places, one stays. */
export function survey(catalog: Catalog, live: Live, { late, isOpen, isLeaving }: Circumstances): Survey {
  const thin = isOpen ? new Set<string>() : thinPacks(catalog, live);
  const rewritten: IndexObject[] = [];
  const spared: IndexObject[] = [];
  const kept = new IndexBuilders();
  const marked = new IndexBuilders();
  const copies: Copy[] = [];
  const placed = new HashSet();
  for (const index of catalog.lasting) {
    const stays: number[] = [];
    const copied: number[] = [];
    const goes: number[] = [];
    for (let i = 0; i < index.count; i++) {
      const isNeeded = isOpen || live.hashes.has(index.hash(i), 0);
      const isFirst = isNeeded && placed.add(index.hash(i), 0);
      if (isNeeded && !isFirst && isOpen) stays.push(i);
      else if (!isFirst) goes.push(i);
      else if (thin.has(index.place(i).pack.name)) copied.push(i);
      else stays.push(i);
    }
    if (goes.length + copied.length === 0 && !late.has(index)) {
      spared.push(index);
      continue;
    }
    rewritten.push(index);
    for (const i of stays) kept.add(index.hash(i), index.place(i));
    for (const i of copied) copies.push({ hash: index.hash(i), place: index.place(i), isLeaving: false });
    for (const i of [...copied, ...goes]) marked.add(index.hash(i), index.place(i));
  }
  for (const index of catalog.inForce) {
    if (index.head.marked === undefined) continue;
    for (let i = 0; i < index.count; i++) {
      const [hash, place] = [index.hash(i), index.place(i)];
      if (!live.hashes.has(hash, 0) || !placed.add(hash, 0)) continue;
      if (isLeaving(index)) copies.push({ hash, place, isLeaving: true });
      else kept.add(hash, place);
    }
  }
  return { rewritten, spared, kept, marked, copies, placed };
}

/** Packs of which something is needed, but little. */
function thinPacks(catalog: Catalog, live: Live): Set<string> {
  const needed = new Map<string, { readonly pack: Pack; bytes: number }>();
  const placed = new HashSet();
  for (const index of catalog.lasting) {
    for (let i = 0; i < index.count; i++) {
      if (!live.hashes.has(index.hash(i), 0) || !placed.add(index.hash(i), 0)) continue;
      const { pack, stored } = index.place(i);
      const sum = needed.get(pack.name) ?? { pack, bytes: PACK_COST };
      sum.bytes += stored + ENTRY_COST;
      needed.set(pack.name, sum);
    }
  }
  const thin = new Set<string>();
  for (const [name, { pack, bytes }] of needed) if (bytes < pack.length * WORTH_KEEPING) thin.add(name);
  return thin;
}
