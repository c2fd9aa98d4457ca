import { byCodeUnit } from '@dag/model';
import { decode } from '../chunk/codec.ts';
import { PIECE_MAX } from '../format/limits.ts';
import type { Place } from '../index/object.ts';
import { packKey } from '../layout.ts';
import { readRange } from './read-whole.ts';
import type { Session } from './session.ts';
import { MISMATCH, NOWHERE, PACK_GONE } from './words.ts';

/** Entries of one pack are read in one request up to so many bytes, */
const RANGE_SIZE = 4 * 1024 * 1024;
/** and together with what lies between them where that is less than this: a request costs more. */
const GAP = 256 * 1024;
/** What is damaged is read so often before it is believed to be damaged there, and not on its way. */
const TRIES = 2;

/** Some content that is wanted. */
export interface Want {
  /** Where it is; any of these will do. */
  readonly places: readonly Place[];
  /** Whether it is what it should be. */
  readonly check: (content: Uint8Array) => boolean;
  /** Gets the content, which is valid during the call only. */
  readonly take: (content: Uint8Array) => void;
  readonly refuse: (reason: string) => void;
}

interface Located {
  readonly want: Want;
  readonly place: Place;
}

/** Reads entries of packs: what lies close together in one request, each checked, what is damaged from another place. */
export async function readEntries(session: Session, wants: Iterable<Want>): Promise<void> {
  const located: Located[] = [];
  for (const want of wants) {
    const [place] = want.places;
    if (place === undefined) want.refuse(NOWHERE);
    else located.push({ want, place });
  }
  /** Memory that is used again and again: it is much, and making it anew costs more than reading. */
  const free: Buffer[] = [];
  await session.forEach(ranges(located), async (range) => {
    const memory = (range.length > SMALL_RANGE ? free.pop() : undefined) ?? memoryFor(range.length);
    const bytes = await readRange(session, packKey(range.pack), range, memory);
    const bad: Want[] = [];
    for (const { want, place } of range.items) {
      const at = place.offset - range.start;
      const content = bytes === undefined ? undefined : contentOf(bytes.subarray(at, at + place.stored), want, place);
      if (content === undefined) bad.push(want);
      else want.take(content);
    }
    if (memory.length === RANGE_SIZE) free.push(memory);
    for (const want of bad) await readAlone(session, want);
  });
}

/** Shorter ranges get memory of their own. */
const SMALL_RANGE = RANGE_SIZE / 16;

function memoryFor(length: number): Buffer {
  return Buffer.allocUnsafeSlow(length > SMALL_RANGE ? RANGE_SIZE : length);
}

interface PackRange {
  readonly pack: string;
  readonly start: number;
  readonly length: number;
  readonly items: readonly Located[];
}

function* ranges(located: Located[]): Generator<PackRange> {
  located.sort((a, b) => byCodeUnit(a.place.pack.name, b.place.pack.name) || a.place.offset - b.place.offset);
  let items: Located[] = [];
  let end = 0;
  const range = (): PackRange => {
    const { place } = items[0] as Located;
    return { pack: place.pack.name, start: place.offset, length: end - place.offset, items };
  };
  for (const one of located) {
    const { pack, offset, stored } = one.place;
    const first = items[0]?.place;
    const fits = first?.pack.name === pack.name && offset - end <= GAP && offset + stored - first.offset <= RANGE_SIZE;
    if (first !== undefined && !fits) {
      yield range();
      items = [];
      end = 0;
    }
    items.push(one);
    end = Math.max(end, offset + stored);
  }
  if (items.length > 0) yield range();
}

async function readAlone(session: Session, want: Want): Promise<void> {
  let reason = PACK_GONE;
  for (const place of want.places) {
    for (let tries = 1; tries <= TRIES; tries++) {
      const range = { start: place.offset, length: place.stored };
      const bytes = await readRange(session, packKey(place.pack.name), range);
      if (bytes === undefined) break;
      const content = contentOf(bytes, want, place);
      if (content !== undefined) return want.take(content);
      reason = MISMATCH;
    }
  }
  want.refuse(reason);
}

function contentOf(stored: Buffer, want: Want, place: Place): Uint8Array | undefined {
  if (stored.length !== place.stored) return undefined;
  const content = decode(place.codec, stored, PIECE_MAX);
  return content !== undefined && want.check(content) ? content : undefined;
}
