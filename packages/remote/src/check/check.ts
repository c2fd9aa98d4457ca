import { type Digest, digestHex } from '@dag/model';
import { hashBytes } from '@dag/store';
import { decode, prepareCodec } from '../chunk/codec.ts';
import { KIND } from '../format/entry.ts';
import { PACK_LIMIT, PIECE_MAX } from '../format/limits.ts';
import { decodeList } from '../format/list.ts';
import type { Catalog } from '../index/catalog.ts';
import type { IndexObject, Pack, Place } from '../index/object.ts';
import { packKey } from '../layout.ts';
import type { RemoteCheck, RemoteCheckOptions } from '../remote.ts';
import { countProgress } from '../transfer/progress.ts';
import type { StoredEntry } from '../transfer/put-packs.ts';
import { readWhole } from '../transfer/read-whole.ts';
import type { Session } from '../transfer/session.ts';
import { needing, readNeeds } from './needs.ts';
import { remakeIndexes } from './remake.ts';
import { repair } from './repair.ts';

/** What is damaged is read so often before it is believed to be damaged there, and not on its way. */
const TRIES = 2;

/**
 * Reads packs and checks all that the indexes say of them. What is damaged is taken out of the indexes, with the lists and
 * trees that need it, so that the next push of whoever has it sends it again; what is whole in a damaged pack moves to another.
 */
export async function check(session: Session, catalog: Catalog, options: RemoteCheckOptions): Promise<RemoteCheck> {
  await Promise.all([catalog.refresh(session), prepareCodec()]);
  const { writable } = session.storage.capabilities;
  const isAsked = (options.sample ?? 1) >= 1 || catalog.damaged.length > 0;
  const nothing = { indexes: catalog.damaged.length, packs: 0, entries: 0 };
  const remade = writable && isAsked ? await remakeIndexes(session, catalog) : nothing;
  const progress = countProgress(session.emit);
  const packs = new Map(catalog.inForce.flatMap((index) => index.packs.map((pack) => [pack.name, pack] as const)));
  const { sample = 1, random = Math.random } = options;
  const chosen = [...packs.values()].filter(() => sample >= 1 || random() < sample);
  const damaged = new Map<string, Pack>();
  let bytes = 0;
  for (const { length } of chosen) progress.add(1, length);
  await session.forEach(chosen, async (pack) => {
    if (!(await isWhole(session, pack))) damaged.set(pack.name, pack);
    bytes += pack.length;
    progress.done(1, pack.length, true);
  });
  const report = { packs: chosen.length, bytes, remade };
  if (damaged.size === 0) return { ...report, damaged: [], needing: [] };
  const entries = await sift(session, catalog, damaged);
  const lost = new Map([...entries.lost].map(([digest, { size }]) => [digest, size]));
  const needs = await readNeeds(session, catalog, damaged);
  const above = needing(needs, lost.keys());
  if (writable)
    await repair(session, catalog, {
      damaged,
      rescued: entries.whole,
      lost: new Set([...lost.keys(), ...above.keys()]),
    });
  // A piece is known to nobody; the object that it belongs to is.
  for (const [digest, kind] of above) if (kind !== 'tree') lost.set(digest, sizeOf(catalog, digest));
  const named = [...lost].filter(([digest]) => !needs.pieces.has(digestHex(digest)));
  const trees = [...above].flatMap(([digest, kind]) => (kind === 'tree' ? [digest] : []));
  return { ...report, damaged: named.map(([digest, size]) => ({ digest, size })), needing: trees };
}

async function isWhole(session: Session, pack: Pack): Promise<boolean> {
  for (let tries = 1; tries <= TRIES; tries++) {
    const bytes = await readWhole(session, packKey(pack.name), PACK_LIMIT, tries > 1);
    if (bytes === undefined) return false;
    if (bytes !== 'too-large' && digestHex(hashBytes(bytes)) === pack.name) return true;
  }
  return false;
}

/** Tells, for each entry of damaged packs, whether it is whole. */
async function sift(session: Session, catalog: Catalog, damaged: ReadonlyMap<string, Pack>) {
  const whole: StoredEntry[] = [];
  const lost = new Map<Digest, Place>();
  const found = new Set<Digest>();
  for (const pack of damaged.values()) {
    const read = await readWhole(session, packKey(pack.name), PACK_LIMIT);
    const bytes = Buffer.isBuffer(read) ? read : Buffer.alloc(0);
    for (const { index, i } of entriesOf(catalog.inForce, pack.name)) {
      const [digest, place] = [index.digest(i), index.place(i)];
      const stored = bytes.subarray(place.offset, place.offset + place.stored);
      const elsewhere = catalog.find(index.hash(i)).some((other) => !damaged.has(other.pack.name));
      if (elsewhere || found.has(digest)) continue;
      if (!isSound(stored, place, digest)) {
        lost.set(digest, place);
        continue;
      }
      found.add(digest);
      lost.delete(digest);
      whole.push({ hash: Buffer.from(index.hash(i)), place, stored: Buffer.from(stored) });
    }
  }
  for (const digest of found) lost.delete(digest);
  return { whole, lost };
}

function isSound(stored: Buffer, place: Place, digest: Digest): boolean {
  if (stored.length !== place.stored) return false;
  const content = decode(place.codec, stored, PIECE_MAX);
  if (content === undefined) return false;
  if (place.kind === KIND.bytes) return hashBytes(content) === digest;
  return decodeList(Buffer.from(content), place.kind === KIND.list ? place.size : undefined) !== undefined;
}

function* entriesOf(indexes: readonly IndexObject[], pack: string) {
  for (const index of indexes) {
    if (index.packs.every(({ name }) => name !== pack)) continue;
    for (let i = 0; i < index.count; i++) if (index.place(i).pack.name === pack) yield { index, i };
  }
}

function sizeOf(catalog: Catalog, digest: Digest): number {
  return catalog.find(Buffer.from(digestHex(digest), 'hex'))[0]?.size ?? 0;
}
