import { PACK_FOOTER_SIZE, packRows } from '../format/pack.ts';
import { PACK_PREFIX, packKey, packName } from '../layout.ts';
import type { ObjectInfo } from '../storage/storage.ts';
import { readRange } from '../transfer/read-whole.ts';
import type { Session } from '../transfer/session.ts';

/** All packs that there are, by name. */
export async function listPacks(session: Session): Promise<Map<string, ObjectInfo>> {
  const { storage, signal } = session;
  return await session.call(async () => {
    const packs = new Map<string, ObjectInfo>();
    for await (const page of storage.list(PACK_PREFIX, { signal })) {
      for (const info of page) {
        const name = packName(info.key);
        if (name !== undefined) packs.set(name, info);
      }
    }
    return packs;
  });
}

/** The end of a pack that is read at first: enough for the rows of most. */
const TAIL = 64 * 1024;

/** The rows at a pack's end (format/pack.ts); undefined where they are damaged, or it is gone. */
export async function readRows(session: Session, name: string, length: number): Promise<Buffer | undefined> {
  const end = async (size: number): Promise<Buffer | undefined> => {
    const start = Math.max(0, length - size);
    return await readRange(session, packKey(name), { start, length: length - start });
  };
  if (length < PACK_FOOTER_SIZE) return undefined;
  const tail = await end(TAIL);
  const rows = tail === undefined ? undefined : packRows(tail, length);
  if (typeof rows !== 'number') return rows;
  const longer = await end(rows);
  const all = longer === undefined ? undefined : packRows(longer, length);
  return typeof all === 'number' ? undefined : all;
}
