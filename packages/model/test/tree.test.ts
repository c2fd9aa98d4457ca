import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { blake3Digest } from '../src/digest.ts';
import { compareUtf8, decodeTree, encodeTree, nameProblem, type TreeEntry } from '../src/tree.ts';

const digest = fc
  .array(fc.integer({ min: 0, max: 15 }), { minLength: 64, maxLength: 64 })
  .map((digits) => blake3Digest(digits.map((digit) => digit.toString(16)).join('')));
const name = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => nameProblem(text) === undefined);
const size = fc.nat({ max: 1e12 });
const entry: fc.Arbitrary<TreeEntry> = fc.oneof(
  fc.record({ kind: fc.constant('file' as const), name, executable: fc.boolean(), size, digest }),
  fc.record({ kind: fc.constant('folder' as const), name, size, files: fc.nat(), digest }),
  fc.record({
    kind: fc.constant('symlink' as const),
    name,
    target: fc.string().map((text) => text.replaceAll('\0', '')),
  }),
);
const entries = fc.uniqueArray(entry, { selector: (one) => one.name });

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const hex = 'ab'.repeat(32);

describe('a tree', () => {
  test('comes back as it was, in one order, whatever order it was given in', () => {
    fc.assert(
      fc.property(entries, (list) => {
        const encoded = encodeTree(list);
        expect(encodeTree([...list].reverse())).toEqual(encoded);
        const decoded = decodeTree(encoded);
        const sorted = [...list].sort((a, b) => compareUtf8(a.name, b.name));
        expect(decoded).toEqual({ ok: true, value: sorted });
      }),
    );
  });

  test('never throws on bytes from elsewhere, and has one encoding', () => {
    fc.assert(
      fc.property(entries, fc.nat(), fc.nat({ max: 255 }), (list, at, byte) => {
        const encoded = encodeTree(list);
        const damaged = encoded.slice();
        damaged[at % damaged.length] = byte;
        const decoded = decodeTree(damaged);
        if (decoded.ok) expect(encodeTree(decoded.value)).toEqual(damaged);
      }),
    );
  });

  test.each([
    ['..', `f 1 ${hex} ..\0`, 'not a file name'],
    ['a slash', `f 1 ${hex} a/b\0`, 'holds a slash'],
    ['a name twice', `f 1 ${hex} a\0f 1 ${hex} a\0`, 'out of order'],
    ['another order', `f 1 ${hex} b\0f 1 ${hex} a\0`, 'out of order'],
    ['half an entry', `f 1 ${hex} a`, 'cut short'],
    ['half a symlink', 'l a\0', 'cut short'],
    ['a bad digest', 'f 1 abc a\0', 'bad entry'],
    ['a huge size', `f 1234567890123456 ${hex} a\0`, 'bad entry'],
  ])('with %s is refused', (_, record, problem) => {
    expect(decodeTree(bytes(`dag tree 1\n${record}`))).toMatchObject({
      ok: false,
      error: expect.stringContaining(problem),
    });
  });

  test('of another version, or that is no text, is refused', () => {
    expect(decodeTree(bytes('dag tree 2\n')).ok).toBe(false);
    expect(decodeTree(new Uint8Array([0xff, 0xfe])).ok).toBe(false);
  });
});

test('names are ordered by their UTF-8 bytes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
      const expected = Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect(Math.sign(compareUtf8(a, b))).toBe(expected);
    }),
  );
  expect(compareUtf8('\uffff', '\u{10000}')).toBeLessThan(0);
});
