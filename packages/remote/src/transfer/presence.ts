import { byCodeUnit, type Digest, digestHex } from '@dag/model';
import { objectDigest, objectKey, objectsPrefix } from '../layout.ts';
import type { Session } from './session.ts';

/** What a remote has of the objects asked for. */
export interface Found {
  readonly present: ReadonlySet<Digest>;
  /** There, but not of the size that it must have: damaged. */
  readonly damaged: ReadonlySet<Digest>;
}

/** A shorter page is most likely the last one. */
const LONG_PAGE = 500;
/** A long page of a list that settles fewer objects than this costs more than asking for them one by one. */
const WORTH_A_PAGE = 8;

/**
 * Asks which objects are there. Few are asked for one by one; many are looked up in lists, one for each first hex digit,
 * and where a list turns out to hold little of interest, the rest of it is asked for one by one.
 * @param wanted the sizes in bytes, where known.
 */
export async function findPresent(session: Session, wanted: ReadonlyMap<Digest, number | undefined>): Promise<Found> {
  const { storage, signal } = session;
  const present = new Set<Digest>();
  const damaged = new Set<Digest>();
  session.emit({ kind: 'checking', objects: wanted.size });

  const settle = (digest: Digest, size: number) => {
    const right = wanted.get(digest);
    (right === undefined || right === size ? present : damaged).add(digest);
  };
  const ask = async (digest: Digest) => {
    const info = await session.call(() => storage.head(objectKey(digest), { signal }));
    if (info !== undefined) settle(digest, info.size);
  };
  if (wanted.size <= storage.capabilities.headsAtMost) {
    await session.forEach(wanted.keys(), ask);
    return { present, damaged };
  }

  const shards = new Map<string, Digest[]>();
  for (const digest of wanted.keys()) {
    const digit = digestHex(digest).slice(0, 1);
    const shard = shards.get(digit);
    if (shard === undefined) shards.set(digit, [digest]);
    else shard.push(digest);
  }
  const oneByOne: Digest[] = [];
  await session.forEach(shards, async ([digit, digests]) => {
    digests.sort(byCodeUnit);
    const unlisted = await session.call(async () => {
      let settled = 0;
      for await (const page of storage.list(objectsPrefix(digit), { signal })) {
        let settledHere = 0;
        for (const { key, size } of page) {
          const digest = objectDigest(key);
          if (digest === undefined || !wanted.has(digest)) continue;
          settle(digest, size);
          settledHere++;
        }
        settled += settledHere;
        if (settled === digests.length) return [];
        if (page.length >= LONG_PAGE && settledHere < WORTH_A_PAGE) {
          const last = page.at(-1)?.key ?? '';
          return digests.filter((digest) => objectKey(digest) > last);
        }
      }
      return [];
    });
    oneByOne.push(...unlisted);
  });
  await session.forEach(oneByOne, ask);
  return { present, damaged };
}
