import { EntryList } from '../format/entry.ts';
import { INDEX_ENTRIES } from '../format/limits.ts';
import { indexKey } from '../layout.ts';
import type { Session } from '../transfer/session.ts';
import type { Catalog } from './catalog.ts';
import { encodeIndex, type Head, type IndexObject, type Pack, type Since } from './object.ts';
import { publishIndex } from './publish.ts';

/** Up to so many indexes are left as they are: each costs a new reader one request. */
const FEW = 8;
/** No index is made by merging that has more entries. */
const MERGED_AT_MOST = INDEX_ENTRIES / 2;
/** What a merged index replaces is removed when that index is older than this, so that no reader with an old list misses it. */
const GRACE_MS = 60 * 60 * 1000;
/** What was read of the index longer ago is not merged: a gc may have removed what it names. */
const FRESH_MS = 10 * 60 * 1000;
/** What was pushed is kept by every gc for so long, whether that gc's project names it or not. */
export const ROOTS_MS = 14 * 24 * 60 * 60 * 1000;

/**
 * Merges small indexes when there are many, and removes those that were merged long ago. Whoever does the same at the same time
 * is no harm: an entry may stand in several indexes.
 */
export async function consolidate(session: Session, catalog: Catalog): Promise<void> {
  if (catalog.age > FRESH_MS) return;
  const group = smallOnes(catalog.inForce);
  if (group.length > 1) await publishIndex(session, catalog, merge(group, mergedHead(group, catalog, session.now())));
  await removeReplaced(session, catalog);
}

/** The smallest ones, as many as can be merged so that each entry is written a few times only in the life of a remote. */
export function smallOnes<T extends { readonly count: number }>(indexes: readonly T[]): T[] {
  if (indexes.length <= FEW) return [];
  const group: T[] = [];
  let entries = 0;
  for (const index of [...indexes].sort((a, b) => a.count - b.count)) {
    const isSmall = group.length < FEW / 2 || index.count <= entries;
    if (!isSmall || entries + index.count > MERGED_AT_MOST) break;
    group.push(index);
    entries += index.count;
  }
  return group;
}

/** One index in place of several. */
function merge(group: readonly IndexObject[], head: Head): IndexObject {
  const packs: Pack[] = [];
  const numbers = new Map<string, number>();
  const entries = new EntryList();
  for (const index of group) {
    for (let i = 0; i < index.count; i++) {
      const { pack, ...entry } = index.place(i);
      let number = numbers.get(pack.name);
      if (number === undefined) {
        number = packs.push(pack) - 1;
        numbers.set(pack.name, number);
      }
      entries.add(index.hash(i), { ...entry, pack: number });
    }
  }
  return encodeIndex(head, packs, entries);
}

function mergedHead(group: readonly IndexObject[], catalog: Catalog, now: number): Head {
  const replaces = group.flatMap(({ name, head }) => [
    name,
    // What these replaced, and is still listed, would come back without them.
    ...head.replaces.filter((old) => catalog.listed.has(old)),
  ]);
  return {
    replaces: [...new Set(replaces)].sort(),
    roots: latest(group.flatMap(({ head }) => head.roots)).filter(({ at }) => now - at < ROOTS_MS),
    dropped: latest(group.flatMap(({ head }) => head.dropped)),
  };
}

/** Each name once, with its latest time. */
function latest(some: readonly Since[]): Since[] {
  const byName = new Map<string, Since>();
  for (const one of some) if (one.at > (byName.get(one.name)?.at ?? 0)) byName.set(one.name, one);
  return [...byName.values()];
}

async function removeReplaced(session: Session, catalog: Catalog): Promise<void> {
  const { storage, signal } = session;
  const modified = (name: string) => catalog.listed.get(name)?.modified;
  // The storage's own clock: what it put last is at most a moment old.
  const now = Math.max(0, ...[...catalog.listed.values()].map((info) => info.modified));
  const old = catalog.inForce
    .filter(({ name }) => now - (modified(name) ?? now) > GRACE_MS)
    .flatMap(({ head }) => head.replaces.filter((name) => catalog.listed.has(name)));
  if (old.length > 0) await session.call(() => storage.delete(old.map(indexKey), { signal }));
}
