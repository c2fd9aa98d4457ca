import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { StorageError } from '../src/storage/problem.ts';
import type { Storage } from '../src/storage/storage.ts';
import { readAll, testReadContract } from './contract-read.ts';

/** Where a contract test gets its storages. */
export interface StorageMaker {
  readonly name: string;
  /** Skips, or fails, where the storage can't be had. */
  readonly need?: (context: { skip: (note?: string) => void }) => void;
  readonly available: () => boolean;
  /** Another handle on the same, initially empty place. */
  readonly open: () => Promise<Storage>;
  readonly remove: () => Promise<void>;
}

/** What every storage promises (storage.ts): the same tests for all of them. */
export function testStorageContract(maker: StorageMaker): void {
  testReadContract({ ...maker, openWriter: maker.open, remove: async () => {} });
  describe(`storage contract: ${maker.name}`, () => {
    let storage: Storage;
    beforeEach((context) => maker.need?.(context));
    beforeAll(async () => {
      if (maker.available()) storage = await maker.open();
    });
    afterAll(() => maker.remove());

    test('a second put of a key changes nothing and says so', async () => {
      const bytes = Buffer.from('first');
      expect(await storage.put('twice/x', bytes)).toBe('stored');
      expect(await storage.put('twice/x', Buffer.from('second'))).toBe('present');
      expect(await readAll(await storage.get('twice/x'))).toEqual(bytes);
    });

    test('replace puts over what is there', async () => {
      await storage.put('replaced/x', Buffer.from('damaged'));
      const bytes = Buffer.from('whole');
      expect(await storage.put('replaced/x', bytes, { replace: true })).toBe('stored');
      expect(await readAll(await storage.get('replaced/x'))).toEqual(bytes);
    });

    test('of sixteen writers of one key exactly one is told that it stored', async () => {
      expect(storage.capabilities.conditionalPut).toBe(true);
      const others = await Promise.all(Array.from({ length: 16 }, () => maker.open()));
      const bodies = others.map((_, i) => Buffer.alloc(5000, i));
      const results = await Promise.all(
        others.map((other, i) => untilSettled(() => other.put('race/x', bodies[i] as Buffer))),
      );
      expect(results.filter((result) => result === 'stored')).toHaveLength(1);
      expect(await readAll(await storage.get('race/x'))).toEqual(bodies[results.indexOf('stored')]);
      for (const other of others) other.close();
    });

    test('an object as large as a pack may be comes back whole', async () => {
      const bytes = randomBytes(64 * 1024 * 1024);
      expect(await storage.put('large/x', bytes)).toBe('stored');
      const reading = await storage.get('large/x');
      expect(reading?.size).toBe(bytes.length);
      expect((await readAll(reading)).equals(bytes)).toBe(true);
    });

    test('what is not there is undefined, not an error', async () => {
      expect(await storage.get('absent/x')).toBeUndefined();
      expect(await storage.head('absent/x')).toBeUndefined();
      expect(await keysUnder(storage, 'absent/')).toEqual([]);
      await storage.delete(['absent/x', 'absent/y']);
    });

    test('a list has every key under its prefix, in order, over many pages', async () => {
      const keys = Array.from({ length: 1203 }, (_, i) => `list/${i % 7}${i % 3}/${String(i).padStart(5, '0')}`);
      keys.push('list/deep/er/x', 'list/0', 'list-not/x');
      // So many at once are too many for some servers, which say so.
      await Promise.all(keys.map((key) => untilSettled(() => storage.put(key, Buffer.from(key)))));
      const under = (prefix: string) => keys.filter((key) => key.startsWith(prefix)).sort();
      for (const prefix of ['list/', 'list/00/', 'list/0', 'list/deep/', 'list/deep/er/x', 'list']) {
        expect(await keysUnder(storage, prefix)).toEqual(under(prefix));
      }
      for await (const page of storage.list('list/')) {
        for (const { key, size, modified } of page) {
          expect(size).toBe(Buffer.byteLength(key));
          expect(Math.abs(modified - Date.now())).toBeLessThan(60_000);
        }
      }
    });

    test('delete removes these and nothing else', async () => {
      for (const name of ['a', 'b', 'c']) {
        await storage.put(`gone/${name}`, Buffer.from(name));
      }
      await storage.delete(['gone/a', 'gone/c']);
      expect(await keysUnder(storage, 'gone/')).toEqual(['gone/b']);
      expect(await storage.put('gone/a', Buffer.from('again'))).toBe('stored');
      await storage.settle();
    });

    test('a signal that has fired ends every call with its reason', async () => {
      const reason = new Error('stop');
      const signal = AbortSignal.abort(reason);
      const bytes = Buffer.from('x');
      await expect(storage.put('stop/x', bytes, { signal })).rejects.toBe(reason);
      await expect(storage.get('stop/x', { signal })).rejects.toBe(reason);
      await expect(storage.head('stop/x', { signal })).rejects.toBe(reason);
      await expect(storage.delete(['stop/x'], { signal })).rejects.toBe(reason);
      await expect(keysUnder(storage, 'stop/', signal)).rejects.toBe(reason);
      expect(await storage.head('stop/x')).toBeUndefined();
    });

    test('a signal that fires in the middle ends an upload and leaves nothing, and ends a download', async () => {
      const reason = new Error('stop');
      const bytes = Buffer.alloc(40 * 1024 * 1024, 'x');
      const up = new AbortController();
      const putting = storage.put('middle/x', bytes, { signal: up.signal });
      setImmediate(() => up.abort(reason));
      await expect(putting).rejects.toBe(reason);
      expect(await storage.head('middle/x')).toBeUndefined();
      await untilSettled(() => storage.put('middle/y', bytes));
      const down = new AbortController();
      const reading = await storage.get('middle/y', { signal: down.signal });
      await expect(async () => {
        for await (const _ of reading?.body ?? []) down.abort(reason);
      }).rejects.toBe(reason);
    });
  });
}

async function keysUnder(storage: Storage, prefix: string, signal?: AbortSignal): Promise<string[]> {
  const keys: string[] = [];
  for await (const page of storage.list(prefix, { signal })) keys.push(...page.map((info) => info.key));
  return keys;
}

/** A server may ask one of many writers at the same instant to come again, and who writes while it clears up a broken upload. */
async function untilSettled<T>(call: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof StorageError) || !error.transient || tries === 20) throw error;
    }
  }
}
