import { decode } from '../chunk/codec.ts';
import { PACK_SIZE, PIECE_MAX } from '../format/limits.ts';
import type { Place } from '../index/object.ts';
import { packKey } from '../layout.ts';
import { readRange } from './read-whole.ts';
import type { Session } from './session.ts';
import { MISMATCH, NOWHERE, PACK_GONE } from './words.ts';

/** Entries of one pack are read in one request up to a whole pack of usual size; */
const RANGE_MOST = PACK_SIZE + PIECE_MAX;
/** but rather in several of this size where there would be too few requests to run side by side; */
const RANGE_LEAST = 4 * 1024 * 1024;
/** together with what lies between them where that is less than this: a request costs more. */
const GAP = 256 * 1024;
/** What is damaged is read so often before it is believed to be damaged there, and not on its way. */
const TRIES = 2;
const NOTHING = new Uint8Array(0);

/** Some content that is wanted. */
export interface Want {
  /** Where it is; any of these will do. */
  readonly places: readonly Place[];
  /** Whether it is what it should be. */
  readonly check: (content: Uint8Array) => boolean;
  /** Gets the content, which is valid until this returns, or its promise resolves. */
  readonly take: (content: Uint8Array) => void | Promise<void>;
  readonly refuse: (reason: string) => void;
}

/** Where some content is, and all who want it. */
interface Spot {
  readonly place: Place;
  readonly wants: Want[];
}

/** Entries of a pack that are read in one request, in the order in which they lie there. */
interface PackRange {
  readonly pack: string;
  readonly end: number;
  readonly spots: readonly Spot[];
}

/** Reads entries of packs: what lies close together in one request, each checked, what is damaged from another place. */
export async function readEntries(session: Session, wants: Iterable<Want>): Promise<void> {
  await readGroups(session, [wants]);
}

/** As `readEntries`, of several groups one after the other, without waiting in between; a group is asked for in its turn. */
export async function readGroups(
  session: Session,
  groups: Iterable<Iterable<Want>> | AsyncIterable<Iterable<Want>>,
): Promise<void> {
  /** Memory that is used again and again: it is much, and making it anew costs more than reading. */
  const free: Buffer[] = [];
  await session.forEach(rangesOf(groups, session.jobs), async (range) => {
    const memory = free.pop() ?? Buffer.allocUnsafeSlow(PIECE_MAX);
    const bad = await readSpots(session, range, memory);
    free.push(memory);
    for (const want of bad) await readAlone(session, want);
  });
}

/** @returns those who did not get what they should. */
async function readSpots(session: Session, { pack, end, spots }: PackRange, memory: Buffer): Promise<Want[]> {
  const { storage, signal } = session;
  const bad: Want[] = [];
  let next = 0;
  const give = (stored: Uint8Array): Promise<void> | undefined => {
    const { place, wants } = spots[next++] as Spot;
    const content = decode(place.codec, stored, PIECE_MAX);
    let taking: Promise<void> | undefined;
    for (const want of wants) {
      if (content === undefined || !want.check(content)) bad.push(want);
      else taking = both(taking, want.take(content));
    }
    return taking;
  };
  await session.call(async () => {
    // After a break only what has not come yet.
    const first = spots[next];
    if (first === undefined) return;
    let at = first.place.offset;
    const reading = await storage.get(packKey(pack), { signal, range: { start: at, length: end - at } });
    if (reading === undefined) return;
    let filled = 0;
    for await (const chunk of reading.body) {
      for (let spot = spots[next]; spot !== undefined; spot = spots[next]) {
        const { offset, stored } = spot.place;
        const from = offset + filled - at;
        if (from >= chunk.length) break;
        const part = chunk.subarray(from, from + stored - filled);
        if (filled + part.length < stored || filled > 0) memory.set(part, filled);
        filled += part.length;
        if (filled < stored) break;
        filled = 0;
        const taking = give(part.length === stored ? part : memory.subarray(0, stored));
        if (taking !== undefined) await taking;
      }
      at += chunk.length;
    }
  });
  // The pack is gone, or ends too early.
  for (; next < spots.length; next++) bad.push(...(spots[next]?.wants ?? []));
  return bad;
}

function both(one: Promise<void> | undefined, other: void | Promise<void>): Promise<void> | undefined {
  if (one === undefined || other === undefined) return one ?? (other as Promise<void> | undefined);
  return Promise.all([one, other]).then(() => {});
}

async function* rangesOf(
  groups: Iterable<Iterable<Want>> | AsyncIterable<Iterable<Want>>,
  jobs: number,
): AsyncGenerator<PackRange> {
  for await (const wants of groups) {
    const packs = new Map<string, Map<string, Spot>>();
    let bytes = 0;
    for (const want of wants) {
      const [place] = want.places;
      if (place === undefined) {
        want.refuse(NOWHERE);
      } else if (place.stored === 0) {
        if (want.check(NOTHING)) await want.take(NOTHING);
        else want.refuse(MISMATCH);
      } else {
        const { pack, offset, stored, codec } = place;
        const spots = packs.get(pack.name) ?? new Map<string, Spot>();
        packs.set(pack.name, spots);
        const where = `${offset} ${stored} ${codec}`;
        const spot = spots.get(where);
        if (spot === undefined) {
          spots.set(where, { place, wants: [want] });
          bytes += stored;
        } else {
          spot.wants.push(want);
        }
      }
    }
    const most = Math.min(RANGE_MOST, Math.max(RANGE_LEAST, (2 * bytes) / jobs));
    for (const [pack, spots] of packs) yield* ranges(pack, [...spots.values()], most);
  }
}

function* ranges(pack: string, all: Spot[], most: number): Generator<PackRange> {
  all.sort((a, b) => a.place.offset - b.place.offset);
  let spots: Spot[] = [];
  let [start, end] = [0, 0];
  for (const spot of all) {
    const { offset, stored } = spot.place;
    const fits = offset >= end && offset - end <= GAP && offset + stored - start <= most;
    if (spots.length > 0 && !fits) {
      yield { pack, end, spots };
      spots = [];
    }
    if (spots.length === 0) start = offset;
    spots.push(spot);
    end = offset + stored;
  }
  if (spots.length > 0) yield { pack, end, spots };
}

async function readAlone(session: Session, want: Want): Promise<void> {
  let reason = PACK_GONE;
  for (const place of want.places) {
    for (let tries = 1; tries <= TRIES; tries++) {
      const range = { start: place.offset, length: place.stored };
      const bytes = await readRange(session, packKey(place.pack.name), range, true);
      if (bytes === undefined) break;
      const content = bytes.length === place.stored ? decode(place.codec, bytes, PIECE_MAX) : undefined;
      if (content !== undefined && want.check(content)) return await want.take(content);
      reason = MISMATCH;
    }
  }
  want.refuse(reason);
}
