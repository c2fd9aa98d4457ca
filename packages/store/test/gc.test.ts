import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Digest } from '@dag/model';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isGcAtWork, WriterMark } from '../src/in-use.ts';
import { hashText, layoutOf, loosePath, openStore, ownerWithPid, type Store } from '../src/index.ts';

let dir: string;
let store: Store;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'dag-gc-'));
  store = openStore({ dir });
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true, force: true });
});

async function pack(texts: readonly string[]): Promise<Digest[]> {
  const batch = store.writeBatch();
  const digests = texts.map((text) => batch.put(Buffer.from(text)));
  await batch.commit();
  return digests;
}

function texts(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => `object ${from + i}`);
}

async function collect(live: Iterable<Digest>): Promise<number> {
  const collector = store.announceGc();
  const plan = store.planGc(new Set(live), collector.since);
  await store.applyGc(plan);
  collector.end();
  return plan.dead.size;
}

/** The clock of the file system has moved on from what was written before. */
async function later(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 30));
}

test('what is live stays, what is not goes, wherever it lies', async () => {
  const packed = await pack(texts(0, 100));
  const big = [Buffer.alloc(100_000, 1), Buffer.alloc(100_000, 2)].map((bytes) => store.putBytes(bytes));
  await later();
  const live = [...packed.slice(0, 40), big[0] as Digest];
  expect(await collect(live)).toBe(61);
  const fresh = openStore({ dir });
  expect(new Set([...fresh.list()].map(({ digest }) => digest))).toEqual(new Set(live));
  expect(String(fresh.read(packed[7] as Digest))).toBe('object 7');
  expect(existsSync(loosePath(layoutOf(dir), big[1] as Digest))).toBe(false);
  expect(readdirSync(layoutOf(dir).tmp)).toEqual([]);
  await later();
  expect(await collect([])).toBe(41);
  expect([...openStore({ dir }).list()]).toEqual([]);
});

test('what is written while a gc is at work stays, even if it was there and dead before', async () => {
  const [old] = await pack(['old']);
  await later();
  const collector = store.announceGc();
  const writer = openStore({ dir });
  expect(writer.putBytes(Buffer.from('old'))).toBe(old);
  const batch = writer.writeBatch();
  const many = texts(0, 20).map((text) => batch.put(Buffer.from(text)));
  await batch.commit();
  await store.applyGc(store.planGc(new Set(), collector.since));
  collector.end();
  expect(openStore({ dir }).missing([old as Digest, ...many])).toEqual([]);
});

test('what is replaced between plan and removal stays', async () => {
  const [digest] = await pack(['small']);
  await later();
  const collector = store.announceGc();
  const plan = store.planGc(new Set(), collector.since);
  expect(plan.dead.has(digest as Digest)).toBe(true);
  openStore({ dir }).putBytes(Buffer.from('small'));
  await store.applyGc(plan);
  collector.end();
  expect(openStore({ dir }).has(digest as Digest)).toBe(true);
});

test('a pack with a damaged live object is left for fsck', async () => {
  const digests = await pack(texts(0, 50));
  await later();
  const [name] = readdirSync(layoutOf(dir).packs);
  const file = join(layoutOf(dir).packs, name as string);
  const bytes = readFileSync(file);
  bytes[10] = (bytes[10] as number) ^ 1;
  rmSync(file);
  writeFileSync(file, bytes);
  await later();
  await collect(digests.slice(0, 10));
  expect(readdirSync(layoutOf(dir).packs)).toEqual([name]);
});

test('a second gc is refused, and a dead one does not matter', async () => {
  const { users } = layoutOf(dir);
  const collector = store.announceGc();
  expect(() => openStore({ dir }).announceGc()).toThrow(/another dag gc is at work/);
  expect(isGcAtWork(users)).toBe(true);
  collector.end();
  expect(isGcAtWork(users)).toBe(false);
  const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)']);
  const owner = ownerWithPid(child.pid as number);
  writeFileSync(join(users, `gc-${owner?.host}-${owner?.pid}-${owner?.start}-0123456789ab`), '');
  expect(isGcAtWork(users)).toBe(true);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
  expect(isGcAtWork(users)).toBe(false);
});

test('gc waits for writers that began before it, not for later ones', async () => {
  const { users } = layoutOf(dir);
  const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)']);
  const owner = ownerWithPid(child.pid as number);
  const mark = (random: string): string => join(users, `use-${owner?.host}-${owner?.pid}-${owner?.start}-${random}`);
  mkdirSync(users);
  writeFileSync(mark('000000000001'), '');
  const collector = store.announceGc();
  const waiting: number[] = [];
  let ended = false;
  const wait = collector.waitForWriters({ onWait: (pid) => waiting.push(pid) }).then(() => {
    ended = true;
  });
  await later();
  expect([waiting, ended]).toEqual([[child.pid], false]);
  writeFileSync(mark('000000000002'), '');
  rmSync(mark('000000000001'));
  await wait;
  collector.end();
  child.kill('SIGKILL');
});

test('a writer is marked from its first look until it is closed', async () => {
  const { users } = layoutOf(dir);
  const marks = (): string[] => readdirSync(users).filter((name) => name.startsWith('use-'));
  const batch = store.writeBatch();
  expect(marks()).toHaveLength(1);
  batch.put(Buffer.from('x'));
  await batch.commit();
  expect(marks()).toHaveLength(1);
  store.close();
  expect(marks()).toEqual([]);
  const mark = new WriterMark(users);
  mark.begin();
  mark.begin();
  mark.end();
  expect(marks()).toHaveLength(1);
  mark.close();
  expect(marks()).toEqual([]);
});

test('checkAll finds every damaged object, takes them out, and keeps the rest', async () => {
  const packed = await pack(texts(0, 30));
  const loose = store.putBytes(Buffer.alloc(100_000, 7));
  const whole = store.putBytes(Buffer.alloc(100_000, 8));
  expect(await store.checkAll()).toMatchObject({ objects: 32, damaged: [], packs: [] });
  const [name] = readdirSync(layoutOf(dir).packs);
  damage(join(layoutOf(dir).packs, name as string), 12);
  damage(loosePath(layoutOf(dir), loose), 5);
  const report = await openStore({ dir }).checkAll();
  expect(new Set(report.damaged.map(({ digest }) => digest))).toEqual(new Set([hashText('object 0'), loose]));
  for (const { quarantined } of report.damaged) expect(existsSync(quarantined)).toBe(true);
  const fresh = openStore({ dir });
  expect(fresh.missing([...packed, loose, whole])).toEqual([packed[0], loose]);
  expect(await fresh.checkAll()).toMatchObject({ objects: 30, damaged: [] });
});

test('checkAll names a pack whose list of objects is damaged', async () => {
  await pack(texts(0, 30));
  const [name] = readdirSync(layoutOf(dir).packs);
  const file = join(layoutOf(dir).packs, name as string);
  damage(file, readFileSync(file).length - 100);
  const report = await openStore({ dir }).checkAll();
  expect(report).toMatchObject({ objects: 0, packs: [join(layoutOf(dir).quarantine, name as string)] });
});

test('checkAll can take a sample', async () => {
  await pack(texts(0, 100));
  let i = 0;
  const report = await store.checkAll({ sample: 0.25, random: () => (i++ % 4) / 4 });
  expect(report.objects).toBe(25);
});

function damage(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes[at] = (bytes[at] as number) ^ 0xff;
  rmSync(file);
  writeFileSync(file, bytes, { mode: 0o444 });
}

test('what a later version wrote is absent, and left alone', async () => {
  await pack(texts(0, 30));
  const { packs } = layoutOf(dir);
  const [name = ''] = readdirSync(packs);
  const later = join(packs, `${'1'.repeat(64)}.pack`);
  const bytes = readFileSync(join(packs, name));
  bytes.write('dagpack2', 0);
  bytes.write('dagpack2', bytes.length - 8);
  writeFileSync(later, bytes);
  const folder = join(dir, 'runs', 'ab', `ab${'0'.repeat(62)}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, '0123456789abcdef.json'), '{"schema":2}');
  const again = openStore({ dir });
  expect(await again.checkAll()).toMatchObject({ objects: 30, damaged: [], packs: [] });
  expect(existsSync(later)).toBe(true);
  expect(again.suspects(`blake3:${'2'.repeat(64)}` as Digest)).toEqual([later]);
  expect([...again.runs.files()]).toMatchObject([{ record: undefined, isLater: true }]);
  again.close();
});
