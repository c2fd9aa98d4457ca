import type { Digest } from '@dag/model';
import { EntryList } from '../format/entry.ts';
import { PackBuilder } from '../format/pack.ts';
import type { Catalog } from '../index/catalog.ts';
import { encodeIndex, type IndexObject, type Pack } from '../index/object.ts';
import { publishIndex } from '../index/publish.ts';
import { packKey } from '../layout.ts';
import type { Session } from '../transfer/session.ts';
import type { Rescued } from './check.ts';

interface Repair {
  readonly damaged: ReadonlyMap<string, Pack>;
  /** What is whole in them and nowhere else. */
  readonly rescued: readonly Rescued[];
  /** What no index may name any more. */
  readonly lost: ReadonlySet<Digest>;
}

/**
 * Puts what is whole into new packs, then indexes without what is lost, and removes the damaged packs last: a push of the same
 * content may make a pack of the very same name, and would find it there.
 */
export async function repair(session: Session, catalog: Catalog, work: Repair): Promise<void> {
  const { storage, signal } = session;
  await putRescued(session, catalog, work);
  for (const index of catalog.inForce) {
    const kept = without(index, work);
    if (kept !== undefined) await publishIndex(session, catalog, kept);
  }
  const keys = [...work.damaged.keys()].map(packKey);
  await session.call(() => storage.delete(keys, { signal }));
  await session.call(() => storage.settle());
}

async function putRescued(session: Session, catalog: Catalog, { rescued, lost }: Repair): Promise<void> {
  const builder = new PackBuilder();
  const packs: Pack[] = [];
  const entries = new EntryList();
  const put = async (): Promise<void> => {
    if (builder.count === 0) return;
    const { name, bytes, entries: own } = builder.finish();
    entries.addAll(own.rows(), packs.push({ name, length: bytes.length }) - 1);
    await session.call(() => session.storage.put(packKey(name), bytes, { signal: session.signal }));
    builder.clear();
  };
  for (const { hash, place, stored } of rescued) {
    if (lost.has(`blake3:${hash.toString('hex')}` as Digest)) continue;
    builder.add(hash, place, stored);
    if (builder.isFull) await put();
  }
  await put();
  if (packs.length > 0) {
    await publishIndex(session, catalog, encodeIndex({ replaces: [], roots: [], dropped: [] }, packs, entries));
  }
}

/** The same index without what is lost or was in damaged packs; undefined where that is nothing. */
function without(index: IndexObject, { damaged, lost }: Repair): IndexObject | undefined {
  const packs = index.packs.filter(({ name }) => !damaged.has(name));
  const numbers = new Map(packs.map(({ name }, i) => [name, i]));
  const entries = new EntryList();
  for (let i = 0; i < index.count; i++) {
    const { pack, ...entry } = index.place(i);
    const number = numbers.get(pack.name);
    if (number !== undefined && !lost.has(index.digest(i))) entries.add(index.hash(i), { ...entry, pack: number });
  }
  if (entries.count === index.count) return undefined;
  const { roots, dropped } = index.head;
  return encodeIndex({ replaces: [index.name, ...index.head.replaces], roots, dropped }, packs, entries);
}
