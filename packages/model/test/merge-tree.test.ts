import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Digest, decodeTree, encodeTree, mergeTree, type TreeEntry } from '../src/index.ts';

/** A folder as a map from names to contents or folders. */
interface Folder {
  readonly [name: string]: string | Folder;
}

const kept = new Map<Digest, Uint8Array>();
const put = (bytes: Uint8Array): Digest => {
  const digest = `blake3:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
  kept.set(digest, bytes);
  return digest;
};
const read = (tree: Digest): readonly TreeEntry[] => {
  const decoded = decodeTree(kept.get(tree) as Uint8Array);
  if (!decoded.ok) throw new Error(decoded.error);
  return decoded.value;
};

function write(folder: Folder): Extract<TreeEntry, { kind: 'folder' }> {
  const entries = Object.entries(folder).map(([name, what]): TreeEntry => {
    if (typeof what !== 'string') return { ...write(what), name };
    const digest = put(Buffer.from(what));
    return { kind: 'file', name, size: what.length, digest, executable: false };
  });
  const count = (of: (entry: TreeEntry) => number): number => entries.reduce((sum, entry) => sum + of(entry), 0);
  const size = count((entry) => (entry.kind === 'symlink' ? 0 : entry.size));
  const files = count((entry) => (entry.kind === 'folder' ? entry.files : 1));
  return { kind: 'folder', name: '', size, files, digest: put(encodeTree(entries)) };
}

function merge(base: Folder | undefined, ours: Folder, theirs: Folder) {
  const before = base === undefined ? undefined : write(base).digest;
  return mergeTree({ base: before, ours: write(ours).digest, theirs: write(theirs).digest, read, put });
}

const { name: _, ...some } = write({ a: '1', b: '2', c: { d: '3' }, e: '5' });

test('what only one side added, changed or deleted is taken from it, in inner folders too', () => {
  const base = { a: '0', b: '2', c: { d: '3', gone: 'x' }, dropped: 'x' };
  const ours = { a: '1', b: '2', c: { d: '3', gone: 'x' }, e: '5' };
  const theirs = { a: '0', b: '2', c: { d: '3' }, dropped: 'x' };
  expect(merge(base, ours, theirs)).toEqual({ artifact: some });
});

test('folders that both sides made are merged, files that both made differently are not', () => {
  expect(merge(undefined, { a: '1', c: { d: '3' } }, { b: '2', c: {}, e: '5' })).toEqual({ artifact: some });
  expect(merge(undefined, { a: '1', c: { d: '3' } }, { a: '2', c: { d: '4' } })).toEqual({ conflicts: ['a', 'c/d'] });
});

test.each<[string, Folder, Folder, Folder]>([
  ['changed in two ways', { a: '0' }, { a: '1' }, { a: '2' }],
  ['changed and deleted', { a: '0' }, { a: '1' }, {}],
  ['made a folder and changed', { a: '0' }, { a: { b: '1' } }, { a: '2' }],
])('a name is a conflict where it was %s', (_what, base, ours, theirs) => {
  expect(merge(base, ours, theirs)).toEqual({ conflicts: ['a'] });
  expect(merge(base, theirs, ours)).toEqual({ conflicts: ['a'] });
});

const folder = fc.letrec<{ folder: Folder }>((tie) => ({
  folder: fc.dictionary(
    fc.constantFrom('a', 'b', 'c', 'd'),
    fc.oneof({ depthSize: 'small', withCrossShrink: true }, fc.constantFrom('1', '2', '3'), tie('folder')),
  ) as fc.Arbitrary<Folder>,
})).folder;

test('the sides may change places, and one that changed nothing counts for nothing', () => {
  fc.assert(
    fc.property(folder, folder, folder, (base, ours, theirs) => {
      const [one, other] = [merge(base, ours, theirs), merge(base, theirs, ours)];
      if ('artifact' in one) expect(other).toEqual(one);
      else expect('conflicts' in other && [...other.conflicts].sort()).toEqual([...one.conflicts].sort());
      const { name: _name, ...alone } = write(ours);
      expect(merge(base, ours, base)).toEqual({ artifact: alone });
    }),
  );
});
