import { type Digest, decodeTree } from '@dag/model';
import { KIND } from '../format/entry.ts';
import { TREE_LIMIT } from '../format/limits.ts';
import type { IndexObject, Place } from '../index/object.ts';
import { readEntries } from '../transfer/read-entries.ts';
import { matches } from '../transfer/read-objects.ts';
import { digestIn, type LiveRoot, piecesIn, type Reading } from './live.ts';

const TREE = Buffer.from('dag tree 1\n', 'latin1');

/** Some content, and where it lies. */
interface Placed {
  readonly digest: Digest;
  readonly place: Place;
}

/**
 * All that stands in an index, as roots. No key says what is a tree, so all of it is read; this is done only for indexes whose
 * makers did not know of a marking, which are those of pushes that were under way at that moment.
 */
export async function rootsIn(reading: Reading, index: IndexObject): Promise<LiveRoot[]> {
  const all = Array.from(
    { length: index.count },
    (_, i): Placed => ({ digest: index.digest(i), place: index.place(i) }),
  );
  const trees = await treesAmong(reading, all);
  return all.map(({ digest }) => ({ digest, kind: trees.has(digest) ? 'folder' : 'file' }));
}

/** Which of these are trees. What can't be read is none: whoever needs it is told that it is damaged. */
export async function treesAmong({ session, catalog }: Reading, some: readonly Placed[]): Promise<Set<Digest>> {
  const trees = new Set<Digest>();
  const small = some.filter(({ place }) => place.kind === KIND.bytes);
  await readEntries(
    session,
    small.map(({ digest, place }) => ({
      places: [place],
      check: matches(digest),
      take: (content: Uint8Array) => {
        if (startsLikeTree(content) && decodeTree(content).ok) trees.add(digest);
      },
      refuse,
    })),
  );
  const heads: { readonly digest: Digest; readonly head: Uint8Array }[] = [];
  const large = some.filter(({ place }) => place.kind === KIND.list && place.size <= TREE_LIMIT);
  await readEntries(
    session,
    large.map(({ digest, place }) => ({
      places: [place],
      check: (content: Uint8Array) => piecesIn(content, place) !== undefined,
      take: (content: Uint8Array) => {
        const [head] = piecesIn(content, place) ?? [];
        if (head !== undefined) heads.push({ digest, head: head.hash });
      },
      refuse,
    })),
  );
  await readEntries(
    session,
    heads.map(({ digest, head }) => ({
      places: catalog.find(head).filter(({ kind }) => kind === KIND.bytes),
      check: matches(digestIn(head)),
      take: (content: Uint8Array) => {
        if (startsLikeTree(content)) trees.add(digest);
      },
      refuse,
    })),
  );
  return trees;
}

function startsLikeTree(content: Uint8Array): boolean {
  return TREE.equals(content.subarray(0, TREE.length));
}

function refuse(): void {}
