import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Reading, Storage } from '../src/storage/storage.ts';

/** Where a contract test gets storages to read from, and ways to put something there. */
export interface ReaderMaker {
  readonly name: string;
  /** Skips, or fails, where the storage can't be had. */
  readonly need?: (context: { skip: (note?: string) => void }) => void;
  readonly available: () => boolean;
  /** A handle on an initially empty place. */
  readonly open: () => Promise<Storage>;
  /** One on the same place that can be written. */
  readonly openWriter: () => Promise<Storage>;
  /** Whether what is large comes as it is read, or all at once. */
  readonly streams?: boolean;
  readonly remove: () => Promise<void>;
}

/** What every storage promises those who read (storage.ts). */
export function testReadContract(maker: ReaderMaker): void {
  describe(`storage contract, reading: ${maker.name}`, () => {
    let storage: Storage;
    let writer: Storage;
    beforeEach((context) => maker.need?.(context));
    beforeAll(async () => {
      if (!maker.available()) return;
      storage = await maker.open();
      writer = await maker.openWriter();
    });
    afterAll(async () => {
      storage?.close();
      await maker.remove();
    });
    const put = (key: string, bytes: Uint8Array) => writer.put(key, bytes);

    test('what was put comes back, byte for byte', async () => {
      for (const size of [0, 1, 1000, 300_000]) {
        const bytes = randomBytes(size);
        expect(await put(`same/${size}`, bytes)).toBe('stored');
        const info = await storage.head(`same/${size}`);
        expect(info).toMatchObject({ key: `same/${size}`, size });
        expect(Math.abs((info?.modified ?? 0) - Date.now())).toBeLessThan(60_000);
        expect(await readAll(await storage.get(`same/${size}`))).toEqual(bytes);
        expect(await readAll(await storage.get(`same/${size}`, { fresh: true }))).toEqual(bytes);
      }
      await writer.settle();
    });

    test('a large object comes whole', async () => {
      const bytes = randomBytes(21 * 1024 * 1024 + 17);
      await put('large-read/x', bytes);
      const reading = await storage.get('large-read/x');
      expect(reading?.size).toBe(bytes.length);
      const back = createHash('sha256');
      for await (const part of reading?.body ?? []) back.update(part);
      expect(back.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
    });

    test('a range gives these bytes only, fewer at the end', async () => {
      const bytes = randomBytes(10_000);
      await put('ranged/x', bytes);
      for (const [start, length] of [
        [0, 1],
        [0, 10_000],
        [0, 20_000],
        [5000, 100],
        [9_990, 500],
      ] as const) {
        const reading = await storage.get('ranged/x', { range: { start, length } });
        expect(await readAll(reading)).toEqual(bytes.subarray(start, start + length));
      }
    });

    test('many ranges at once, of several objects', async () => {
      const objects = Array.from({ length: 5 }, () => randomBytes(100_000));
      await Promise.all(objects.map((bytes, i) => put(`many/${i}`, bytes)));
      const asked = Array.from({ length: 60 }, (_, i) => ({ at: i % 5, start: 1500 * i, length: 2000 }));
      const got = await Promise.all(
        asked.map(async ({ at, ...range }) => await readAll(await storage.get(`many/${at}`, { range }))),
      );
      expect(got).toEqual(asked.map(({ at, start, length }) => objects[at]?.subarray(start, start + length)));
    });

    test('what is not there is undefined, not an error', async () => {
      await put('there/x', Buffer.from('something'));
      await readAll(await storage.get('there/x'));
      expect(await storage.get('absent/x')).toBeUndefined();
      expect(await storage.get('absent/x', { range: { start: 0, length: 10 } })).toBeUndefined();
      expect(await storage.head('absent/x')).toBeUndefined();
    });

    test('a signal that has fired ends every call with its reason', async () => {
      const reason = new Error('stop');
      const signal = AbortSignal.abort(reason);
      await expect(storage.get('stop/x', { signal })).rejects.toBe(reason);
      await expect(storage.get('stop/x', { signal, range: { start: 0, length: 1 } })).rejects.toBe(reason);
      await expect(storage.head('stop/x', { signal })).rejects.toBe(reason);
    });

    test('a signal that fires in the middle ends a download', async () => {
      if (maker.streams === false) return;
      const reason = new Error('stop');
      await put('middle-read/y', Buffer.alloc(40 * 1024 * 1024));
      const down = new AbortController();
      const reading = await storage.get('middle-read/y', { signal: down.signal });
      await expect(async () => {
        for await (const _ of reading?.body ?? []) down.abort(reason);
      }).rejects.toBe(reason);
    });
  });
}

export async function readAll(reading: Reading | undefined): Promise<Buffer> {
  if (reading === undefined) throw new Error('nothing there');
  const chunks: Uint8Array[] = [];
  for await (const chunk of reading.body) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  expect(bytes.length).toBe(reading.size);
  return bytes;
}
