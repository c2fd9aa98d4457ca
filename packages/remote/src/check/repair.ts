import type { Digest } from '@dag/model';
import { digestAt } from '@dag/store';
import { IndexBuilder } from '../index/builder.ts';
import type { Catalog } from '../index/catalog.ts';
import type { IndexObject, Pack } from '../index/object.ts';
import { publishIndex } from '../index/publish.ts';
import { packKey } from '../layout.ts';
import { putPacks, type StoredEntry } from '../transfer/put-packs.ts';
import type { Session } from '../transfer/session.ts';

interface Repair {
  readonly damaged: ReadonlyMap<string, Pack>;
  /** What is whole in them and nowhere else. */
  readonly rescued: readonly StoredEntry[];
  /** What no index may name any more. */
  readonly lost: ReadonlySet<Digest>;
}

/**
 * Puts what is whole into new packs, then indexes without what is lost, and removes the damaged packs last: readers find an entry
 * by one of the two for as long as any of it is whole.
 */
export async function repair(session: Session, catalog: Catalog, work: Repair): Promise<void> {
  const { storage, signal } = session;
  await putRescued(session, catalog, work);
  for (const index of catalog.inForce) {
    const kept = without(catalog, index, work);
    if (kept !== undefined) await publishIndex(session, catalog, kept);
  }
  const keys = [...work.damaged.keys()].map(packKey);
  await session.call(() => storage.delete(keys, { signal }));
  await session.call(() => storage.settle());
}

async function putRescued(session: Session, catalog: Catalog, { rescued, lost }: Repair): Promise<void> {
  const index = new IndexBuilder();
  const kept = rescued.filter(({ hash }) => !lost.has(digestAt(hash, 0)));
  await putPacks(session, kept, (hash, place) => index.add(hash, place));
  if (index.count > 0) await publishIndex(session, catalog, index.build({}));
}

/** The same index without what is lost or was in damaged packs; undefined where that is nothing. */
function without(catalog: Catalog, index: IndexObject, { damaged, lost }: Repair): IndexObject | undefined {
  const kept = new IndexBuilder();
  for (let i = 0; i < index.count; i++) {
    const place = index.place(i);
    if (!damaged.has(place.pack.name) && !lost.has(index.digest(i))) kept.add(index.hash(i), place);
  }
  if (kept.count === index.count) return undefined;
  const replaces = [index.name, ...index.head.replaces];
  return kept.build({ ...index.head, replaces, seen: catalog.seenBy(index) });
}
