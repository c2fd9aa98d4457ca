import { type Digest, decodeTree, groupBy } from '@dag/model';
import { digestAt } from '@dag/store';
import { decode } from '../chunk/codec.ts';
import { KIND } from '../format/entry.ts';
import { PACK_LIMIT, PIECE_MAX } from '../format/limits.ts';
import { decodeList } from '../format/list.ts';
import type { Catalog } from '../index/catalog.ts';
import type { IndexObject, Pack } from '../index/object.ts';
import { packKey } from '../layout.ts';
import { readWhole } from '../transfer/read-whole.ts';
import type { Session } from '../transfer/session.ts';

const TREE = Buffer.from('dag tree 1\n', 'latin1');

type Needing = 'tree' | 'list';

/** What lists and trees need. */
export interface Needs {
  readonly of: ReadonlyMap<Digest, { readonly kind: Needing; readonly children: readonly string[] }>;
  /** Hashes, in hex, that stand in lists. */
  readonly pieces: ReadonlySet<string>;
}

/** Reads all lists and trees that are one entry each. Trees that are cut into pieces go with what they are cut into. */
export async function readNeeds(
  session: Session,
  catalog: Catalog,
  damaged: ReadonlyMap<string, Pack>,
): Promise<Needs> {
  const of = new Map<Digest, { kind: Needing; children: string[] }>();
  const pieces = new Set<string>();
  const packs = groupBy(
    catalog.inForce.flatMap((index) => index.packs.map(({ name }) => ({ name, index }))),
    ({ name }) => name,
  );
  await session.forEach(packs, async ([name, indexes]) => {
    const bytes = await readWhole(session, packKey(name), PACK_LIMIT);
    if (!Buffer.isBuffer(bytes) || (damaged.has(name) && bytes.length === 0)) return;
    for (const { index, i, place } of indexes.flatMap(({ index }) => [...placesIn(index, name)])) {
      const content = decode(place.codec, bytes.subarray(place.offset, place.offset + place.stored), PIECE_MAX);
      if (content === undefined) continue;
      if (place.kind !== KIND.bytes) {
        const children = (decodeList(Buffer.from(content), undefined) ?? []).map(({ hash }) => hexOf(hash));
        for (const piece of children) pieces.add(piece);
        of.set(index.digest(i), { kind: 'list', children });
      } else if (TREE.equals(content.subarray(0, TREE.length))) {
        const tree = decodeTree(content);
        const entries = tree.ok ? tree.value : [];
        const children = entries.flatMap((entry) =>
          entry.kind === 'symlink' ? [] : entry.digest.slice('blake3:'.length),
        );
        of.set(index.digest(i), { kind: 'tree', children });
      }
    }
  });
  return { of, pieces };
}

function* placesIn(index: IndexObject, pack: string) {
  for (let i = 0; i < index.count; i++) {
    const place = index.place(i);
    if (place.pack.name === pack) yield { index, i, place };
  }
}

/** All that needs something that is lost, directly or through others. */
export function needing(needs: Needs, lost: Iterable<Digest>): Map<Digest, Needing> {
  const gone = new Set<string>();
  for (const digest of lost) gone.add(digest.slice('blake3:'.length));
  const found = new Map<Digest, Needing>();
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const [digest, { kind, children }] of needs.of) {
      if (found.has(digest) || !children.some((child) => gone.has(child))) continue;
      found.set(digest, kind);
      gone.add(digest.slice('blake3:'.length));
    }
  }
  return found;
}

function hexOf(hash: Uint8Array): string {
  return digestAt(hash, 0).slice('blake3:'.length);
}
