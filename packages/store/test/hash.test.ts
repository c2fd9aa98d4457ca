import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hashBytes, hashFile, hashText, nativeHashing, newHasher, portableHashing } from '../src/index.ts';

const EMPTY = 'blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262';

test('the digest of nothing is the published one, by both implementations', () => {
  expect(portableHashing.hash(new Uint8Array())).toBe(EMPTY);
  expect(nativeHashing()?.hash(new Uint8Array())).toBe(EMPTY);
  expect(hashText('')).toBe(EMPTY);
});

test('compiled and portable code agree, whole and in pieces', () => {
  const native = nativeHashing();
  if (native === undefined) throw new Error('no compiled BLAKE3 for this machine');
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 5 }), (pieces) => {
      const whole = Buffer.concat(pieces);
      const digest = portableHashing.hash(whole);
      expect(native.hash(whole)).toBe(digest);
      for (const hashing of [native, portableHashing]) {
        const hasher = hashing.hasher();
        for (const piece of pieces) hasher.update(piece);
        expect(hasher.digest()).toBe(digest);
      }
    }),
  );
});

test('a file larger than the buffer', () => {
  const dir = mkdtempSync(join(tmpdir(), 'dag-hash-'));
  const bytes = Buffer.alloc(2_500_001, 'dag');
  writeFileSync(join(dir, 'file'), bytes);
  expect(hashFile(join(dir, 'file'))).toEqual({ digest: hashBytes(bytes), size: bytes.length });
  const hasher = newHasher();
  hasher.update(bytes);
  expect(hasher.digest()).toBe(hashBytes(bytes));
  rmSync(dir, { recursive: true });
});
