import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import {
  EXECUTABLE,
  type FileStats,
  hashOf,
  hashText,
  isListingSettled,
  isPast,
  isSettled,
  KNOWN,
  openStatCache,
  settledTime,
} from '../src/index.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'dag-stat-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const stats = (ino: number, more: Partial<FileStats> = {}): FileStats => ({
  dev: 1n,
  ino: BigInt(ino),
  size: 5n,
  mtimeNs: 1_000_000_001n,
  ctimeNs: 2_000_000_002n,
  ...more,
});

test('a digest is found for exactly these stats, also by a cache opened later', () => {
  const cache = openStatCache(dir);
  cache.record(stats(1), hashText('one'));
  cache.flush();
  expect(cache.find(stats(1))).toBe(hashText('one'));
  const other = openStatCache(dir);
  expect(other.find(stats(1))).toBe(hashText('one'));
  const changes: Partial<FileStats>[] = [{ size: 6n }, { mtimeNs: 1n }, { ctimeNs: 1n }, { dev: 2n }, { ino: 2n }];
  for (const change of changes) expect(other.find(stats(1, change))).toBeUndefined();
  other.record(stats(1, { size: 9n }), hashText('two'));
  other.flush();
  expect(other.find(stats(1))).toBeUndefined();
  expect(other.find(stats(1, { size: 9n }))).toBe(hashText('two'));
  cache.close();
  other.close();
});

test('without a folder it knows nothing', () => {
  const cache = openStatCache(undefined);
  cache.record(stats(1), hashText('one'));
  cache.flush();
  expect(cache.find(stats(1))).toBeUndefined();
});

test('a flipped byte in a value is noticed', async () => {
  const cache = openStatCache(dir);
  for (let i = 0; i < 50; i++) cache.record(stats(i), hashText(`${i}`));
  cache.flush();
  cache.close();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const file = join(dir, 'stat-1.mdb');
  const bytes = readFileSync(file);
  const hex = Buffer.from(hashText('7').slice(7), 'hex');
  const fd = openSync(file, 'r+');
  for (let at = bytes.indexOf(hex); at !== -1; at = bytes.indexOf(hex, at + 1))
    writeSync(fd, Buffer.from([0x55]), 0, 1, at);
  closeSync(fd);
  const again = openStatCache(dir);
  expect(again.find(stats(7))).toBeUndefined();
  expect(again.find(stats(8))).toBe(hashText('8'));
  again.close();
});

test('an mtime is past when the next one is sure to be another, also where only whole seconds are kept', () => {
  const at = (time: bigint) => stats(1, { mtimeNs: time, ctimeNs: time });
  expect(isPast(at(9_974_000_000n), 10_000)).toBe(true);
  expect(isPast(at(9_976_000_000n), 10_000)).toBe(false);
  expect(isPast(at(8_000_000_000n), 10_000)).toBe(false);
  expect(isPast(at(7_000_000_000n), 10_000)).toBe(true);
});

test('the time that a file is given is past at once, on a full second too', () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
  for (const now of [1_800_000_000_025, 1_800_000_000_000, 1_799_999_999_999]) {
    vi.setSystemTime(now);
    const file = join(dir, `${now}`);
    writeFileSync(file, '');
    utimesSync(file, settledTime(), settledTime());
    const { mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    expect(isPast(stats(1, { mtimeNs, ctimeNs }), now)).toBe(true);
  }
});

test('a file that is younger than the clock can tell is not settled', () => {
  const now = 10_000_000_000n;
  const at = (time: bigint) => stats(1, { mtimeNs: time, ctimeNs: time });
  expect(isSettled(at(now - 30_000_001n), now)).toBe(true);
  expect(isSettled(at(now - 10_000_001n), now)).toBe(false);
  expect(isSettled(at(now + 5_000_000_001n), now)).toBe(false);
  expect(isSettled(at(now - 1_000_000_000n), now)).toBe(false);
  expect(isSettled(at(now - 3_000_000_000n), now)).toBe(true);
  expect(isSettled(stats(1, { mtimeNs: now, ctimeNs: 1n }), now)).toBe(false);
});

test('a folder that can not be made is no error', () => {
  writeFileSync(join(dir, 'file'), '');
  const cache = openStatCache(join(dir, 'file/inside'));
  cache.record(stats(1), hashText('one'));
  cache.flush();
  expect(cache.find(stats(1))).toBeUndefined();
  cache.close();
});

test('what is remembered of a folder comes back, and not when a byte of it is flipped', async () => {
  const names = ['a', 'line\nend', 'ü', 'z'.repeat(255)];
  const facts = {
    names,
    stats: BigInt64Array.from(names.flatMap((_, i) => [BigInt(i), 5n, 1_000_000_001n, -2n])),
    hashes: Buffer.concat(names.map((name) => hashOf(hashText(name)))),
    flags: Uint8Array.from([KNOWN, KNOWN | EXECUTABLE, 0, KNOWN]),
  };
  const tree = { rest: hashText('rest'), digest: hashText('tree') };
  const [folder, other, none] = [
    { dev: 1n, ino: 7n },
    { dev: 1n, ino: 8n },
    { dev: 2n, ino: 7n },
  ];
  const cache = openStatCache(dir);
  const listed = { mtimeNs: -5n, ctimeNs: 1_000_000_001n };
  cache.remember(folder, { ...facts, tree, listed });
  expect(cache.recall(folder)).toMatchObject({ names, tree, listed });
  cache.remember(other, { ...facts, names: [], tree: undefined });
  cache.flush();
  cache.close();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const again = openStatCache(dir);
  const recalled = again.recall(folder);
  expect(recalled).toMatchObject({ names, text: names.join('\0'), stats: facts.stats, tree, listed });
  expect(Buffer.concat([recalled?.hashes ?? Buffer.alloc(0)])).toEqual(facts.hashes);
  expect([...(recalled?.flags ?? [])]).toEqual([...facts.flags]);
  expect(again.recall(other)).toMatchObject({ names: [], tree: undefined, listed: undefined });
  expect([again.recall(none), again.find(stats(7))]).toEqual([undefined, undefined]);
  again.close();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const file = join(dir, 'stat-1.mdb');
  const bytes = readFileSync(file);
  const fd = openSync(file, 'r+');
  const long = Buffer.from('z'.repeat(255));
  for (let at = bytes.indexOf(long); at !== -1; at = bytes.indexOf(long, at + 255)) writeSync(fd, 'y', at);
  closeSync(fd);
  const damaged = openStatCache(dir);
  expect(damaged.recall(folder)).toBeUndefined();
  damaged.close();
});

test.each([
  ['long ago, in parts of a second', -2_000_000_000n, 1n, true],
  ["by the clock's step ago", -20_000_001n, 0n, true],
  ["within the clock's step", -20_000_000n, 0n, false],
  ['in whole seconds', -2_000_000_000n, 0n, false],
])('a listing is vouched for by times that are settled: %s', (_, ago, parts, vouches) => {
  const before = 1_700_000_000_000_000_000n;
  const time = before + ago + parts;
  expect(isListingSettled({ mtimeNs: time, ctimeNs: time }, before)).toBe(vouches);
  expect(isListingSettled({ mtimeNs: time, ctimeNs: before }, before)).toBe(false);
  expect(isListingSettled({ mtimeNs: before, ctimeNs: time }, before)).toBe(false);
});
