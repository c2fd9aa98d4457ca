import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HashSet } from '../src/hash-set.ts';

/** Hashes of which many share their first bytes, as real ones hardly do. */
const hash = fc
  .tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 40 }))
  .map(([first, last]) => Buffer.concat([Buffer.alloc(4, first), Buffer.alloc(24), Buffer.alloc(4, last)]));

test('a set of hashes is a set', () => {
  fc.assert(
    fc.property(fc.array(hash, { maxLength: 400 }), hash, (hashes, other) => {
      const set = new HashSet();
      const model = new Set<string>();
      for (const one of hashes) {
        const hex = one.toString('hex');
        expect(set.add(one, 0)).toBe(!model.has(hex));
        model.add(hex);
      }
      for (const one of hashes) expect(set.has(Buffer.concat([Buffer.alloc(5), one]), 5)).toBe(true);
      expect(set.has(other, 0)).toBe(model.has(other.toString('hex')));
      set.clear();
      expect(set.has(other, 0)).toBe(false);
    }),
  );
});

test('it holds more hashes than one chunk does', () => {
  const set = new HashSet();
  const nth = (i: number): Buffer => {
    const bytes = Buffer.alloc(32);
    bytes.writeUInt32LE(i, 8);
    bytes.writeUInt32BE(Math.imul(i, 2654435761) >>> 0);
    return bytes;
  };
  for (let i = 0; i < 20_000; i++) expect(set.add(nth(i), 0)).toBe(true);
  for (let i = 0; i < 20_000; i++) expect(set.has(nth(i), 0)).toBe(true);
  expect(set.has(nth(20_000), 0)).toBe(false);
});
