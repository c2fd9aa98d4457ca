import { spawnSync } from 'node:child_process';
import {
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestHex } from '@dag/model';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hashBytes, openStore, type Store, tempName, thisOwner } from '../src/index.ts';

let dir: string;
let store: Store;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'dag-partial-'));
  store = openStore({ dir });
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true, force: true });
});

/** No byte is zero, as what has not come is. */
const content = Buffer.from(Array.from({ length: 200_000 }, (_, i) => 1 + (((i * 7919) >> 5) % 255)));
const digest = hashBytes(content);
const free = (): string => join(dir, 'partial', digestHex(digest));
const names = (): string[] => readdirSync(join(dir, 'partial'));

/** The name of a process that has ended. */
function deadMaker(): string {
  const { pid } = spawnSync('true');
  const { host } = thisOwner();
  return tempName('fetch').replace(/^fetch-.*-([0-9a-f]+)$/, `fetch-${host}-${pid}-1-$1`);
}

test('parts that come in any order, in several goes, become the object', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.integer({ min: 1, max: content.length - 1 }), { maxLength: 8 }),
      fc.infiniteStream(fc.nat()),
      fc.nat({ max: 8 }),
      async (cuts, random, breakAt) => {
        const bounds = [0, ...cuts.sort((a, b) => a - b), content.length];
        const parts = bounds.slice(1).map((end, i) => [bounds[i] ?? 0, end] as const);
        const order = parts.map((part) => ({ part, at: random.next().value })).sort((a, b) => a.at - b.at);
        let partial = await store.openPartial(digest, content.length);
        expect(partial.resumed).toBe(false);
        for (const [i, { part }] of order.entries()) {
          if (i === breakAt) {
            await partial.end('keep');
            partial = await store.openPartial(digest, content.length);
            expect(partial.resumed).toBe(true);
          }
          expect(await partial.matches()).toBe(false);
          await partial.write(content.subarray(...part), part[0]);
        }
        const found = Buffer.alloc(1000);
        await partial.read(found, 5000);
        expect(found.equals(content.subarray(5000, 6000))).toBe(true);
        expect(await partial.matches()).toBe(true);
        const path = await partial.end('finished');
        const batch = store.writeBatch();
        batch.putTemp(path, digest);
        await batch.commit();
        expect(Buffer.from(store.read(digest)).equals(content)).toBe(true);
        const place = store.locate(digest);
        expect(place?.kind === 'loose' && lstatSync(place.file).mode & 0o777).toBe(0o444);
        expect(names()).toEqual([]);
        rmSync(place?.kind === 'loose' ? place.file : '');
      },
    ),
  );
});

test('what a killed process left is gone on with, what a living one writes is not', async () => {
  const first = await store.openPartial(digest, content.length);
  await first.write(content.subarray(0, 1000), 0);
  const second = await store.openPartial(digest, content.length);
  expect(second.resumed).toBe(false);
  await second.end('drop');
  const [name = ''] = names();
  renameSync(join(dir, 'partial', name), `${free()}.${deadMaker()}`);
  await first.end('drop');
  const third = await store.openPartial(digest, content.length);
  expect(third.resumed).toBe(true);
  const found = Buffer.alloc(1000);
  await third.read(found, 0);
  expect(found.equals(content.subarray(0, 1000))).toBe(true);
  await third.end('drop');
  expect(names()).toEqual([]);
});

test('no link is followed', async () => {
  await (await store.openPartial(digest, content.length)).end('drop');
  const outside = join(dir, 'outside');
  writeFileSync(outside, 'mine');
  symlinkSync(outside, free());
  const partial = await store.openPartial(digest, content.length);
  expect(partial.resumed).toBe(false);
  await partial.write(content, 0);
  await partial.end('keep');
  expect(readFileSync(outside, 'utf8')).toBe('mine');
});

test('what nobody goes on with goes after a week, or with a gc', async () => {
  const old = (path: string): void => utimesSync(path, Date.now() / 1000 - 8 * 86_400, Date.now() / 1000 - 8 * 86_400);
  const living = await store.openPartial(hashBytes(Buffer.from('living')), 6);
  const [inUse = ''] = names();
  old(join(dir, 'partial', inUse));
  await (await store.openPartial(digest, content.length)).end('keep');
  const dead = `${digestHex(digest)}.${deadMaker()}`;
  writeFileSync(join(dir, 'partial', dead), 'x');
  store.sweep();
  expect(names().sort()).toEqual([digestHex(digest), dead, inUse].sort());
  old(free());
  store.sweep();
  expect(names().sort()).toEqual([dead, inUse].sort());
  await store.applyGc(store.planGc(new Set(), 0n));
  expect(names()).toEqual([inUse]);
  await living.end('drop');
});
