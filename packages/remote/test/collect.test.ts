import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Artifact } from '@dag/model';
import type { Store } from '@dag/store';
import { afterAll, describe, expect, test } from 'vitest';
import { EntryList } from '../src/format/entry.ts';
import { encodeIndex } from '../src/index/object.ts';
import type { RemovalPlan, RemovalRequest } from '../src/index.ts';
import { PLACES, type Place, placesPerGroup } from './places.ts';
import {
  addFile,
  addFolder,
  contentOf,
  damage,
  expectClosed,
  failureOf,
  freshStore,
  manyFiles,
  noise,
  readIndexes,
  remoteAt,
  removeFolders,
  runRecord,
} from './support.ts';

afterAll(removeFolders);

const ME = '1'.repeat(64);
const OTHER = '2'.repeat(64);
/** As if a day had gone by since everything. */
const A_DAY_LATER = { grace: 0 };

describe.each(PLACES)('removal, %s', (kind) => {
  const newPlace = placesPerGroup(kind);

  function requestFor(keep: readonly Artifact[], some: Partial<RemovalRequest> = {}): RemovalRequest {
    const roots = keep.map((artifact, i) => ({ path: `kept-${i}`, artifact }));
    return { roots, runs: { before: 0, dropped: false, project: 'p' }, names: [], ...some };
  }

  async function push(place: Place, store: Store, artifact: Artifact, by = ME) {
    const remote = await remoteAt(place, place.env, { by });
    expect((await remote.push({ roots: [{ path: 'data', artifact }] }, store)).failed).toEqual([]);
  }

  async function collect(place: Place, request: RemovalRequest, options: { later?: boolean; store?: Store } = {}) {
    const times = options.later === true ? { times: A_DAY_LATER } : {};
    const remote = await remoteAt(place, place.env, { by: ME, ...times });
    return await remote.remove(request, options.store ?? freshStore());
  }

  async function fetchable(place: Place, artifact: Artifact): Promise<boolean> {
    const remote = await remoteAt(place, place.env);
    const report = await remote.fetch({ roots: [{ path: 'x', artifact }] }, freshStore());
    return report.failed.length === 0;
  }

  const paths = (some: RemovalPlan['marks']) => some.flatMap(({ use }) => use?.path ?? []).sort();
  const packsOf = (place: Place) =>
    readdirSync(join(place.folder, 'packs'), { recursive: true }).filter((name) => `${name}`.endsWith('.pack')).length;

  test('what nothing needs is marked, can be fetched for a day, and is deleted then', async () => {
    const place = newPlace();
    const store = freshStore();
    const old = await addFolder(store, { a: 'old a', deep: { b: 'old b', big: noise(3_000_000, 'old') } });
    const kept = await addFolder(store, { a: 'kept a', deep: { b: 'old b', big: noise(2_500_000, 'kept') } });
    await push(place, store, old);
    await push(place, store, kept);
    const request = requestFor([kept], { names: [{ path: 'data', artifact: old, from: 'abc' }] });
    const planned = await (await remoteAt(place, place.env, { by: ME })).planRemoval(request, freshStore());
    expect(paths(planned.marks)).toEqual(['data', 'data/a', 'data/deep', 'data/deep/big']);
    expect(planned.marks.find(({ use }) => use?.path === 'data/deep/big')?.size).toBe(3_000_000);
    expect(planned.kept.objects).toBe(5);

    const marked = await collect(place, request);
    expect(marked.marks).toEqual(planned.marks);
    expect(marked.removes).toEqual([]);
    await expectClosed(place.folder);
    expect(await fetchable(place, old)).toBe(true);
    // Nobody relies on it any more: a push sends it again.
    const remote = await remoteAt(place, place.env);
    expect(await remote.presence([old.digest, kept.digest])).toEqual(new Set([kept.digest]));

    expect(await collect(place, request)).toMatchObject({ marks: [], removes: [], waiting: { objects: 4 } });
    const before = packsOf(place);
    const removed = await collect(place, request, { later: true });
    expect(paths(removed.removes)).toEqual(['data', 'data/a', 'data/deep', 'data/deep/big']);
    expect(removed.packs.bytes).toBeGreaterThan(3_000_000);
    expect(packsOf(place)).toBeLessThan(before);
    await expectClosed(place.folder);
    expect(await fetchable(place, old)).toBe(false);
    expect(await fetchable(place, kept)).toBe(true);
    // Indexes that were replaced stay an hour for readers with an old list; the store that has all knows what to send.
    await push(place, store, old);
    expect(await fetchable(place, old)).toBe(true);
    await expectClosed(place.folder);
  });

  test('what is marked and needed again stays', async () => {
    const place = newPlace();
    const store = freshStore();
    const one = await addFolder(store, { a: 'one', same: { b: 'same', big: noise(2_200_000, 'same') } });
    await push(place, store, one);
    expect((await collect(place, requestFor([]))).marks.length).toBe(5);
    const again = await collect(place, requestFor([one]), { later: true });
    expect(again).toMatchObject({ marks: [], removes: [], kept: { objects: 5 } });
    expect(await fetchable(place, one)).toBe(true);
    await expectClosed(place.folder);
  });

  test('what is needed of a pack that is mostly not moves to another, and the pack goes', async () => {
    const place = newPlace();
    const store = freshStore();
    const kept = addFile(store, noise(300_000, 'kept'));
    const both = await addFolder(store, { kept: noise(300_000, 'kept'), gone: noise(1_500_000, 'gone') });
    await push(place, store, both);
    const first = await collect(place, requestFor([kept]));
    expect(first.copied).toBe(300_000);
    expect(await fetchable(place, both)).toBe(true);
    const last = await collect(place, requestFor([kept]), { later: true });
    expect(last.packs).toMatchObject({ count: 1 });
    expect(packsOf(place)).toBe(1);
    expect(await fetchable(place, kept)).toBe(true);
    await expectClosed(place.folder);
    expect(await collect(place, requestFor([kept]), { later: true })).toMatchObject({ copied: 0, marks: [] });
  });

  test('what others pushed stays for a fortnight; what this clone pushed is for its scope to say', async () => {
    const place = newPlace();
    const store = freshStore();
    const mine = await addFolder(store, { a: 'mine' });
    const theirs = await addFolder(store, { a: 'theirs', sub: { big: noise(2_100_000, 'theirs') } });
    await push(place, store, mine);
    await push(place, store, theirs, OTHER);
    expect((await collect(place, requestFor([]))).marks.map(({ digest }) => digest)).toContain(mine.digest);
    expect(await collect(place, requestFor([]), { later: true })).toMatchObject({ kept: { objects: 4 } });
    expect(await fetchable(place, theirs)).toBe(true);
    expect(await fetchable(place, mine)).toBe(false);
    const remote = await remoteAt(place, place.env, { by: ME, times: { roots: 0 } });
    expect((await remote.remove(requestFor([]), freshStore())).marks).toHaveLength(4);
  });

  test('a push with nothing to send says that it needs what is there, unless that is known', async () => {
    const place = newPlace();
    const store = freshStore();
    const artifact = await addFolder(store, { a: 'shared' });
    await push(place, store, artifact);
    const before = readIndexes(place.folder).length;
    await push(place, store, artifact);
    expect(readIndexes(place.folder).length).toBe(before);
    await push(place, store, artifact, OTHER);
    expect(readIndexes(place.folder).length).toBe(before + 1);
    expect((await collect(place, requestFor([]))).marks).toEqual([]);
  });

  test('recent run records keep what they name; old ones go, and with them what only they named', async () => {
    const place = newPlace();
    const store = freshStore();
    const remote = await remoteAt(place, place.env, { by: ME });
    const old = runRecord('old', { out: await addFolder(store, { o: 'old' }) }, '2026-01-01T00:00:00.000Z');
    const young = runRecord('young', { out: addFile(store, 'young') }, '2026-03-01T00:00:00.000Z');
    await remote.push({ roots: [], records: [old, young] }, store);
    const runs = { before: Date.parse('2026-02-01'), dropped: false, project: 'p' };
    const report = await collect(place, requestFor([], { runs }));
    expect(report).toMatchObject({ records: 1, kept: { objects: 1 } });
    expect(report.marks).toHaveLength(2);
    expect(await remote.findRuns(old.key)).toEqual([]);
    expect(await remote.findRuns(young.key)).toHaveLength(1);
    const all = await collect(place, requestFor([], { runs: { ...runs, dropped: true } }), { later: true });
    expect(all).toMatchObject({ records: 1, kept: { objects: 0 } });
    expect(existsSync(join(place.folder, 'index'))).toBe(true);
  });

  test('as long as a push is under way nothing is marked', async () => {
    const place = newPlace();
    const store = freshStore();
    const artifact = await addFolder(store, { a: 'not needed' });
    await push(place, store, artifact);
    const name = '9'.repeat(64);
    const begun = encodeIndex({ begun: [{ name, at: Date.now() }] }, [], new EntryList());
    writeFileSync(join(place.folder, 'index', `${begun.name}.index`), begun.bytes);
    expect(await collect(place, requestFor([]))).toMatchObject({ marks: [], pushing: expect.any(Number) });
    const ended = encodeIndex({ ended: [{ name, at: Date.now() }] }, [], new EntryList());
    writeFileSync(join(place.folder, 'index', `${ended.name}.index`), ended.bytes);
    expect((await collect(place, requestFor([]))).marks).toHaveLength(2);
  });

  test('nothing is removed where something is damaged; fsck makes the index again from packs, and then it is', async () => {
    const place = newPlace();
    const store = freshStore();
    const names = Object.fromEntries(Array.from({ length: 32_000 }, (_, i) => [`a-name-of-some-length-${i}`, 'same']));
    const artifact = await addFolder(store, { ...manyFiles(150, 'x'), large: names, big: noise(3_000_000, 'big') });
    await push(place, store, artifact);
    const [index] = readIndexes(place.folder);
    damage(join(place.folder, 'index', `${index?.name}.index`), 300);
    const request = requestFor([artifact]);
    expect((await failureOf(collect(place, request))).message).toContain('an index object of the remote is damaged');
    const remote = await remoteAt(place, place.env);
    const report = await remote.check();
    expect(report).toMatchObject({ damaged: [], remade: { indexes: 1, entries: index?.count } });
    await expectClosed(place.folder);
    expect(await fetchable(place, artifact)).toBe(true);
    expect(await collect(place, request)).toMatchObject({ marks: [], lost: 0 });

    for (const file of readdirSync(join(place.folder, 'index'))) rmSync(join(place.folder, 'index', file));
    expect(await collect(place, request, { later: true })).toMatchObject({ lost: report.remade.packs });
    const afresh = await remoteAt(place, place.env);
    expect((await afresh.check()).remade).toMatchObject({ indexes: 0, entries: index?.count });
    const other = freshStore();
    expect((await afresh.fetch({ roots: [{ path: 'x', artifact }] }, other)).failed).toEqual([]);
    expect(contentOf(other, artifact.digest)).toEqual(contentOf(store, artifact.digest));
  });

  test('an index that is made again has no tree that lacks anything', async () => {
    const place = newPlace();
    const store = freshStore();
    await push(place, store, await addFolder(store, { a: 'first', b: 'only here' }));
    const [before] = readIndexes(place.folder);
    const second = await addFolder(store, { a: 'first', c: 'second' });
    await push(place, store, second);
    const packs = before?.packs ?? [];
    for (const file of readdirSync(join(place.folder, 'index'))) rmSync(join(place.folder, 'index', file));
    for (const { name } of packs) rmSync(join(place.folder, 'packs', name.slice(0, 2), `${name.slice(2)}.pack`));
    const remote = await remoteAt(place, place.env);
    expect((await remote.check()).remade).toMatchObject({ entries: 1 });
    await expectClosed(place.folder);
    expect(await remote.presence([second.digest])).toEqual(new Set());
    await push(place, store, second);
    expect(await fetchable(place, second)).toBe(true);
  });

  test('packs of a push that died are deleted when they are a day old, and a day has gone by since', async () => {
    const place = newPlace();
    const store = freshStore();
    const artifact = addFile(store, 'all that is needed');
    await push(place, store, artifact);
    const died = await addFolder(store, manyFiles(20, 'died'));
    await push(place, store, died);
    for (const index of readIndexes(place.folder)) {
      if (index.count > 1) rmSync(join(place.folder, 'index', `${index.name}.index`));
    }
    expect(await collect(place, requestFor([artifact]))).toMatchObject({ unnamed: { count: 0 }, packs: { count: 0 } });
    const remote = await remoteAt(place, place.env, { by: ME, times: { grace: -1 } });
    const dropped = await remote.remove(requestFor([artifact]), freshStore());
    expect(dropped.packs.count).toBe(1);
    expect(packsOf(place)).toBe(1);
    expect(await fetchable(place, artifact)).toBe(true);
  });
});
