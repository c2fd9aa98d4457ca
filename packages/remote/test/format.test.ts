import { randomBytes } from 'node:crypto';
import { hashBytes, hashOf } from '@dag/store';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { decode, Encoder, prepareCodec } from '../src/chunk/codec.ts';
import { pieceLength } from '../src/chunk/cut.ts';
import { CODEC, EntryList, KIND, ROW_SIZE } from '../src/format/entry.ts';
import { PIECE_MAX, PIECE_MIN } from '../src/format/limits.ts';
import { decodeList, encodeList, LIST_PIECES } from '../src/format/list.ts';
import { PackBuilder, packRows } from '../src/format/pack.ts';
import { smallOnes } from '../src/index/consolidate.ts';
import { encodeIndex, IndexObject } from '../src/index/object.ts';
import { noise } from './support.ts';

beforeAll(prepareCodec);

const EMPTY = { replaces: [], roots: [], dropped: [] };
const small = fc.uint8Array({ maxLength: 300 });

describe('cuts', () => {
  function cuts(content: Buffer): number[] {
    const ends: number[] = [];
    for (let at = 0; at < content.length; ) {
      at += pieceLength(content.subarray(at, at + PIECE_MAX));
      ends.push(at);
    }
    return ends;
  }

  test('are where the format says, which never changes', () => {
    expect(cuts(noise(2_000_000, 'cuts'))).toMatchInlineSnapshot(`
      [
        707908,
        1965929,
        2000000,
      ]
    `);
  });

  test('no piece but the last is smaller, none larger, than the format says', () => {
    const ends = cuts(noise(24 * 1024 * 1024, 'sizes'));
    const sizes = ends.map((end, i) => end - (ends[i - 1] ?? 0));
    expect(Math.min(...sizes.slice(0, -1))).toBeGreaterThanOrEqual(PIECE_MIN);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(PIECE_MAX);
    expect(cuts(Buffer.alloc(5 * 1024 * 1024)).length).toBeGreaterThan(2);
  });

  test('depend on what is around them only: after an insertion they come back to the same places', () => {
    const before = noise(12 * 1024 * 1024, 'around');
    const inserted = 77_777;
    const after = Buffer.concat([before.subarray(0, 3_000_000), noise(inserted, 'in'), before.subarray(3_000_000)]);
    const moved = new Set(cuts(after).map((end) => end - inserted));
    const late = cuts(before).filter((end) => end > 6_000_000);
    expect(late.length).toBeGreaterThan(5);
    expect(late.filter((end) => !moved.has(end))).toEqual([]);
  });
});

describe('codecs', () => {
  test('what is encoded is decoded', () => {
    fc.assert(
      fc.property(small, fc.integer({ min: 1, max: 200 }), (bytes, times) => {
        const content = Buffer.concat(Array.from({ length: times }, () => bytes));
        const { codec, stored } = new Encoder().encode(content);
        expect(stored.length).toBeLessThanOrEqual(content.length);
        expect(Buffer.from(decode(codec, stored, PIECE_MAX) ?? [1]).equals(content)).toBe(true);
      }),
    );
  });

  test('what does not shrink is stored as it is', () => {
    const content = randomBytes(100_000);
    expect(new Encoder().encode(content)).toEqual({ codec: CODEC.none, stored: content });
  });

  test('no more is written than is allowed, and damaged frames are refused', () => {
    const bomb = new Encoder().encode(Buffer.alloc(PIECE_MAX));
    expect(bomb.codec).toBe(CODEC.zstd);
    expect(bomb.stored.length).toBeLessThan(1000);
    expect(decode(bomb.codec, bomb.stored, PIECE_MAX - 1)).toBeUndefined();
    expect(decode(bomb.codec, bomb.stored, PIECE_MAX)).toHaveLength(PIECE_MAX);
    // Says that it holds less than it does: not a byte more is written.
    const lie = Buffer.from(bomb.stored);
    const at = 5 + ((lie[4] ?? 0) & 0x20 ? 0 : 1);
    lie[at + 1] = 1;
    lie[at + 2] = 0;
    expect(decode(CODEC.zstd, lie, PIECE_MAX)).toBeUndefined();
    fc.assert(
      fc.property(small, (bytes) => {
        expect(decode(CODEC.zstd, bytes, 1000)?.length ?? 0).toBeLessThanOrEqual(1000);
      }),
    );
  });
});

test('lists come back as they were, and not when anything is wrong with them', () => {
  const piece = fc.record({
    hash: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    size: fc.integer({ min: 1, max: PIECE_MAX }),
  });
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 20 }), fc.nat(), (pieces, where) => {
      const bytes = encodeList(pieces);
      const size = pieces.reduce((sum, one) => sum + one.size, 0);
      const back = decodeList(bytes, size) ?? [];
      expect(back.map((one) => ({ hash: Uint8Array.from(one.hash), size: one.size }))).toEqual(pieces);
      expect(decodeList(bytes, size + 1)).toBeUndefined();
      expect(decodeList(bytes.subarray(0, -1), undefined)).toBeUndefined();
      const damaged = Buffer.from(bytes);
      damaged[where % bytes.length] = (damaged[where % bytes.length] ?? 0) ^ 1;
      expect(decodeList(damaged, undefined)).toBeUndefined();
    }),
  );
  expect(
    encodeList(Array.from({ length: LIST_PIECES }, () => ({ hash: Buffer.alloc(32), size: 1 }))).length,
  ).toBeLessThanOrEqual(PIECE_MAX);
});

test('a pack names its entries at its end, so that an index can be made of it', () => {
  const builder = new PackBuilder();
  const contents = Array.from({ length: 50 }, (_, i) => noise(100 + i, `${i}`));
  for (const content of contents) {
    const hash = hashOf(hashBytes(content));
    builder.add(hash, { kind: KIND.bytes, codec: CODEC.none, size: content.length }, content);
  }
  const { bytes, name, entries } = builder.finish();
  expect(`blake3:${name}`).toBe(hashBytes(bytes));
  const needed = packRows(bytes.subarray(-100), bytes.length);
  expect(needed).toBe(50 * ROW_SIZE + 44);
  const rows = packRows(bytes.subarray(-Number(needed)), bytes.length);
  expect(Buffer.from(rows as Buffer).equals(entries.rows())).toBe(true);
  const damaged = Buffer.from(bytes);
  damaged[bytes.length - 60] = (damaged[bytes.length - 60] ?? 0) ^ 1;
  expect(packRows(damaged, bytes.length)).toBeUndefined();
  expect(packRows(bytes.subarray(0, -1), bytes.length - 1)).toBeUndefined();
});

describe('index objects', () => {
  const pack = { name: 'ab'.repeat(32), length: 1_000_000 };
  const made = (hashes: readonly Buffer[]) => {
    const entries = new EntryList();
    for (const [i, hash] of hashes.entries()) {
      entries.add(hash, { pack: 0, offset: 8 + i, stored: 5, kind: KIND.bytes, codec: CODEC.none, size: 5 });
    }
    return encodeIndex(EMPTY, [pack], entries);
  };

  test('find all that was put in, the first of what was put in twice, and nothing else', () => {
    // Hashes that differ late, so that prefixes clash.
    const hash = fc.tuple(fc.integer({ min: 0, max: 3 }), fc.nat(255)).map(([first, last]) => {
      const bytes = Buffer.alloc(32, first);
      bytes[31] = last;
      return bytes;
    });
    fc.assert(
      fc.property(fc.array(hash, { maxLength: 60 }), hash, (hashes, other) => {
        const index = made(hashes);
        for (const [i, one] of hashes.entries()) {
          const first = hashes.findIndex((same) => same.equals(one));
          expect(index.find(one, 0)).toMatchObject({ pack, offset: 8 + Math.min(first, i) });
        }
        expect(index.has(other, 0)).toBe(hashes.some((one) => one.equals(other)));
        expect(index.count).toBe(new Set(hashes.map((one) => one.toString('hex'))).size);
      }),
    );
  });

  test('are refused under another name, cut short, or with entries that lead out of their pack', () => {
    const { bytes, name } = made([randomBytes(32), randomBytes(32)]);
    expect(IndexObject.decode(name, bytes)?.count).toBe(2);
    expect(IndexObject.decode('0'.repeat(64), bytes)).toBeUndefined();
    const named = (some: Buffer) => IndexObject.decode(hashBytes(some).slice('blake3:'.length), some);
    for (let length = 0; length < bytes.length; length++) expect(named(bytes.subarray(0, length))).toBeUndefined();
    expect(named(Buffer.concat([bytes, Buffer.alloc(1)]))).toBeUndefined();
    const out = Buffer.from(bytes);
    out.writeUInt32LE(2_000_000, bytes.length - 16);
    expect(named(out)).toBeUndefined();
    const noPack = Buffer.from(bytes);
    noPack.writeUInt32LE(1, bytes.length - 20);
    expect(named(noPack)).toBeUndefined();
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
        const changed = Buffer.from(bytes);
        changed[at] = value;
        const index = named(changed);
        for (let i = 0; i < (index?.count ?? 0); i++) {
          const { offset, stored, size } = index?.place(i) ?? { offset: 0, stored: 0, size: 0 };
          expect(offset + stored).toBeLessThanOrEqual(64 * 1024 * 1024);
          expect(size).toBeLessThanOrEqual(2 ** 48);
        }
      }),
    );
  });
});

test('many pushes leave few indexes, and no entry is written anew more than a few times', () => {
  let indexes: { readonly count: number }[] = [];
  let written = 0;
  const pushes = 2000;
  for (let i = 0; i < pushes; i++) {
    indexes = [...indexes, { count: 10 }];
    const group = smallOnes(indexes);
    if (group.length < 2) continue;
    const count = group.reduce((sum, one) => sum + one.count, 0);
    written += count;
    indexes = [...indexes.filter((one) => !group.includes(one)), { count }];
  }
  expect(indexes.length).toBeLessThan(20);
  expect(written / (pushes * 10)).toBeLessThan(10);
});
