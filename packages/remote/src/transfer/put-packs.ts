import { PackBuilder } from '../format/pack.ts';
import type { Place } from '../index/object.ts';
import { packKey } from '../layout.ts';
import { putWhole } from './put-whole.ts';
import type { Session } from './session.ts';

/** An entry that was read and is whole, as it is stored. */
export interface StoredEntry {
  readonly hash: Uint8Array;
  readonly place: Place;
  readonly stored: Uint8Array;
}

/**
 * Puts entries of other packs into new ones.
 * @param placed told where each lies when the packs are there.
 */
export async function putPacks(
  session: Session,
  entries: Iterable<StoredEntry> | AsyncIterable<StoredEntry>,
  placed: (hash: Uint8Array, place: Place) => void,
): Promise<void> {
  const builder = new PackBuilder();
  let waiting: { hash: Uint8Array; place: Place; offset: number }[] = [];
  const put = async (): Promise<void> => {
    if (builder.count === 0) return;
    const { name, bytes } = builder.finish();
    await putWhole(session, packKey(name), bytes);
    for (const { hash, place, offset } of waiting) {
      placed(hash, { ...place, pack: { name, length: bytes.length }, offset });
    }
    waiting = [];
    builder.clear();
  };
  for await (const { hash, place, stored } of entries) {
    waiting.push({ hash: Buffer.from(hash), place, offset: builder.add(hash, place, stored) });
    if (builder.isFull) await put();
  }
  await put();
}
