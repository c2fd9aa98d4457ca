import { groupBy } from '@dag/model';
import { INDEX_ENTRIES } from '../format/limits.ts';
import { indexKey } from '../layout.ts';
import type { Session } from '../transfer/session.ts';
import { IndexBuilder } from './builder.ts';
import type { Catalog } from './catalog.ts';
import type { Head, IndexObject, PushedRoot, Since } from './object.ts';
import { publishIndex } from './publish.ts';

/** Up to so many indexes are left as they are: each costs a new reader one request. */
const FEW = 8;
/** No index is made by merging that has more entries. */
const MERGED_AT_MOST = INDEX_ENTRIES / 2;

/**
 * Merges small indexes when there are many, and removes those that were merged long ago. Whoever does the same at the same time
 * is no harm: an entry may stand in several indexes.
 */
export async function consolidate(session: Session, catalog: Catalog): Promise<void> {
  if (session.now() - catalog.listedAt > session.times.fresh) return;
  const group = smallOnes(alike(catalog));
  if (group.length > 1) await publishIndex(session, catalog, merge(group, mergedHead(group, catalog, session)));
  await removeReplaced(session, catalog);
}

/** The largest group of indexes that know of the same markings: what they become knows of them too. */
function alike(catalog: Catalog): IndexObject[] {
  const groups = groupBy(catalog.lasting, (index) => catalog.seenBy(index).join());
  return [...groups.values()].sort((a, b) => b.length - a.length)[0] ?? [];
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
  const merged = new IndexBuilder();
  for (const index of group) for (let i = 0; i < index.count; i++) merged.add(index.hash(i), index.place(i));
  return merged.build(head);
}

function mergedHead(group: readonly IndexObject[], catalog: Catalog, { now, times }: Session): Head {
  const heads = group.map(({ head }) => head);
  const replaces = group.flatMap(({ name, head }) => [
    name,
    // What these replaced, and is still listed, would come back without them.
    ...head.replaces.filter((old) => catalog.listed.has(old)),
  ]);
  const young = <T extends Since>(some: readonly T[], age: number) => some.filter(({ at }) => now() - at < age);
  return {
    replaces: [...new Set(replaces)].sort(),
    roots: young(latestRoots(heads.flatMap(({ roots }) => roots)), times.roots),
    dropped: latest(heads.flatMap(({ dropped }) => dropped)),
    seen: group[0] === undefined ? [] : catalog.seenBy(group[0]),
    begun: young(latest(heads.flatMap(({ begun }) => begun)), times.roots),
    ended: young(latest(heads.flatMap(({ ended }) => ended)), times.roots),
  };
}

/** Each name once, with its latest time. */
export function latest<T extends Since>(some: readonly T[]): T[] {
  const found = new Map<string, T>();
  for (const one of some) if (one.at > (found.get(one.name)?.at ?? 0)) found.set(one.name, one);
  return [...found.values()];
}

/** Each name with the latest time of the two clones that pushed it last: no collector heeds its own, so one of them counts. */
export function latestRoots(some: readonly PushedRoot[]): PushedRoot[] {
  const found = new Map<string, PushedRoot[]>();
  for (const one of some.toSorted((a, b) => b.at - a.at)) {
    const known = found.get(one.name);
    if (known === undefined) found.set(one.name, [one]);
    else if (known.length === 1 && known[0]?.by !== one.by) known.push(one);
  }
  return [...found.values()].flat();
}

/** Removes indexes that were replaced long ago. */
export async function removeReplaced(session: Session, catalog: Catalog): Promise<void> {
  const { storage, signal } = session;
  const modified = (name: string) => catalog.listed.get(name)?.modified;
  // The storage's own clock: what it put last is at most a moment old.
  const now = Math.max(0, ...[...catalog.listed.values()].map((info) => info.modified));
  const old = catalog.inForce
    .filter(({ name }) => now - (modified(name) ?? now) > session.times.replaced)
    .flatMap(({ head }) => head.replaces.filter((name) => catalog.listed.has(name)));
  if (old.length > 0) await session.call(() => storage.delete(old.map(indexKey), { signal }));
}
