import { indexKey } from '../layout.ts';
import { putWhole } from '../transfer/put-whole.ts';
import type { Session } from '../transfer/session.ts';
import type { Catalog } from './catalog.ts';
import type { IndexObject } from './object.ts';

/** Puts an index whose packs are all there, for good; the catalog has it then. */
export async function publishIndex(session: Session, catalog: Catalog, index: IndexObject): Promise<void> {
  const { storage } = session;
  await session.call(() => storage.settle());
  await putWhole(session, indexKey(index.name), index.bytes);
  await session.call(() => storage.settle());
  const newest = Math.max(0, ...[...catalog.listed.values()].map((info) => info.modified));
  catalog.add(index, { size: index.bytes.length, modified: newest });
}
