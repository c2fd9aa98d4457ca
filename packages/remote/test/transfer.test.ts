import { chmodSync, existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Digest, digestHex } from '@dag/model';
import { hashBytes, hashOf } from '@dag/store';
import { afterAll, describe, expect, test } from 'vitest';
import { EntryList } from '../src/format/entry.ts';
import { encodeIndex } from '../src/index/object.ts';
import type { TransferEvent } from '../src/index.ts';
import { packKey } from '../src/layout.ts';
import { PLACES, placesPerGroup } from './places.ts';
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

describe.each(PLACES)('push and fetch, %s', (kind) => {
  const newPlace = placesPerGroup(kind);

  test('thousands of small files in nested folders come back whole, and a second push or fetch moves nothing', async () => {
    const place = newPlace();
    const store = freshStore();
    const content = {
      ...manyFiles(3000, 'round trip'),
      deep: { er: { empty: {}, file: 'x' } },
      same: { a: 'x', b: 'x' },
    };
    const artifact = await addFolder(store, content);
    const roots = [{ path: 'data', artifact }];
    const remote = await remoteAt(place, place.env);
    const pushed = await remote.push({ roots }, store);
    expect(pushed).toMatchObject({ failed: [], records: 0 });
    expect(pushed.objects).toBe(3000 + 1 + 30 + 5);
    expect(await remote.push({ roots }, store)).toEqual({
      objects: 0,
      bytes: 0,
      stored: 0,
      failed: [],
      records: 0,
    });

    const other = freshStore();
    const remoteThere = await remoteAt(place, place.env);
    const fetched = await remoteThere.fetch({ roots }, other);
    expect(fetched).toEqual({ objects: pushed.objects, bytes: pushed.bytes, failed: [] });
    expect(contentOf(other, artifact.digest)).toEqual(contentOf(store, artifact.digest));
    expect(await remoteThere.fetch({ roots }, other)).toEqual({ objects: 0, bytes: 0, failed: [] });
    expect(readFileSync(join(place.folder, 'dag-remote.json'), 'utf8')).toBe('{"format":"dag-remote","version":1}\n');
  });

  test('a file of more than 16 MiB goes up and comes down in a stream, with progress', async () => {
    const place = newPlace();
    const store = freshStore();
    const bytes = noise(17 * 1024 * 1024 + 5, 'large');
    const artifact = addFile(store, bytes);
    const roots = [{ path: 'model.bin', artifact }];
    const events: TransferEvent[] = [];
    const onEvent = (event: TransferEvent) => events.push(event);
    const remote = await remoteAt(place, place.env);
    expect(await remote.push({ roots }, store, { onEvent })).toMatchObject({
      objects: 1,
      bytes: bytes.length,
      failed: [],
    });
    const progress = events.filter((event) => event.kind === 'progress');
    expect(progress.length).toBeGreaterThan(1);
    expect(progress.at(-1)).toEqual({
      kind: 'progress',
      objects: 1,
      bytes: bytes.length,
      totalObjects: 1,
      totalBytes: bytes.length,
    });
    const other = freshStore();
    expect(await remote.fetch({ roots }, other)).toEqual({ objects: 1, bytes: bytes.length, failed: [] });
    expect(Buffer.from(other.read(artifact.digest)).equals(bytes)).toBe(true);
    expect(readdirSync(other.tmpFolder())).toEqual([]);
  });

  test('only what is new is pushed, and only what is missing is fetched', async () => {
    const place = newPlace();
    const store = freshStore();
    const before = { a: { x: '1', y: '2' }, b: { z: '3' } };
    const first = await addFolder(store, before);
    const second = await addFolder(store, { ...before, b: { z: '4' } });
    const remote = await remoteAt(place, place.env);
    await remote.push({ roots: [{ path: 'data', artifact: first }] }, store);
    const other = freshStore();
    await remote.fetch({ roots: [{ path: 'data', artifact: first }] }, other);
    const report = await remote.push({ roots: [{ path: 'data', artifact: second }] }, store);
    expect(report.objects).toBe(3);
    const fetched = await remote.fetch({ roots: [{ path: 'data', artifact: second }] }, other);
    expect(fetched.objects).toBe(3);
    expect(contentOf(other, second.digest)).toEqual(contentOf(store, second.digest));
  });

  test('a part of a folder is fetched with the trees on the way and nothing else', async () => {
    const place = newPlace();
    const store = freshStore();
    const artifact = await addFolder(store, { a: { b: { f: 'wanted', g: 'wanted too' }, c: 'not' }, d: 'not either' });
    const remote = await remoteAt(place, place.env);
    await remote.push({ roots: [{ path: 'data', artifact }] }, store);
    const file = freshStore();
    expect(await remote.fetch({ roots: [{ path: 'data', artifact, inside: 'a/b/f' }] }, file)).toMatchObject({
      objects: 4,
      failed: [],
    });
    const folder = freshStore();
    expect(await remote.fetch({ roots: [{ path: 'data', artifact, inside: 'a/b' }] }, folder)).toMatchObject({
      objects: 5,
      failed: [],
    });
  });

  test('what is neither here nor there is named, and no tree above it is sent', async () => {
    const place = newPlace();
    const store = freshStore();
    const artifact = await addFolder(store, { good: { x: 'kept' }, bad: { deep: { gone: 'lost', here: 'found' } } });
    const bad = store.readTree(artifact.digest).find((entry) => entry.name === 'bad');
    const lost = addFile(store, 'lost');
    store.quarantine(lost.digest);
    const remote = await remoteAt(place, place.env);
    const record = runRecord('{"x":1}', { data: artifact }, '2026-01-01T00:00:00.000Z');
    const report = await remote.push({ roots: [{ path: 'data', artifact }], records: [record] }, store);
    expect(report.failed).toEqual([
      { path: 'data/bad/deep/gone', digest: lost.digest, reason: 'not in the cache, and not in the remote' },
    ]);
    expect(report.records).toBe(0);
    const there = await remote.presence([...store.list()].map((object) => object.digest));
    expect(there.has(artifact.digest)).toBe(false);
    expect(bad?.kind === 'folder' && there.has(bad.digest)).toBe(false);
    expect(there.size).toBe(3);
    expect(await remote.findRuns(record.key)).toEqual([]);

    const other = freshStore();
    addFile(other, 'lost');
    await remote.push({ roots: [{ path: 'lost', artifact: lost }] }, other);
    const again = await remote.push({ roots: [{ path: 'data', artifact }], records: [record] }, store);
    expect(again).toMatchObject({ failed: [], records: 1 });
    expect((await remote.fetch({ roots: [{ path: 'data', artifact }] }, freshStore())).failed).toEqual([]);
  });

  test('an object damaged in the cache is not pushed', async () => {
    const place = newPlace();
    const store = freshStore();
    const small = addFile(store, noise(200_000, 'small and bad'));
    const large = addFile(store, noise(9 * 1024 * 1024, 'large and bad'));
    for (const { digest } of [small, large]) {
      const at = store.locate(digest);
      if (at?.kind !== 'loose') throw new Error('a file of its own was expected');
      chmodSync(at.file, 0o644);
      const bytes = readFileSync(at.file);
      bytes[1000] = (bytes[1000] ?? 0) ^ 1;
      writeFileSync(at.file, bytes);
    }
    const remote = await remoteAt(place, place.env);
    const roots = [
      { path: 'small', artifact: small },
      { path: 'large', artifact: large },
    ];
    const report = await remote.push({ roots }, store);
    expect(report.objects).toBe(0);
    expect(report.failed.map((failure) => failure.path).sort()).toEqual(['large', 'small']);
    for (const failure of report.failed) expect(failure.reason).toContain('damaged');
    expect(await remote.presence([small.digest, large.digest])).toEqual(new Set());
  });

  test('what is damaged, cut off or gone in the remote is named and never stored; what is whole comes', async () => {
    const place = newPlace();
    const store = freshStore();
    const big = noise(10 * 1024 * 1024, 'big');
    const artifact = await addFolder(store, { corrupt: noise(70_000, 'corrupt'), good: noise(70_000, 'good'), big });
    const roots = [{ path: 'data', artifact }];
    const remote = await remoteAt(place, place.env);
    await remote.push({ roots }, store);
    const files = new Map(store.readTree(artifact.digest).map((entry) => [entry.name, entry]));
    const digestOf = (name: string) => (files.get(name) as { digest: Digest }).digest;
    const [index] = readIndexes(place.folder);
    const corrupt = index?.find(hashOf(digestOf('corrupt')), 0);
    if (index === undefined || corrupt === undefined) throw new Error('not in the index');
    // Turns bytes round in the pack: in one small file, and in the middle of a piece of the large one.
    const list = index.find(hashOf(digestOf('big')), 0);
    const piece = Array.from({ length: index.count }, (_, i) => index.place(i)).find(
      ({ kind, size }) => kind === 0 && size > 128 * 1024,
    );
    if (list === undefined || piece === undefined) throw new Error('the large file is not in pieces');
    for (const { pack, offset } of [corrupt, piece]) damage(join(place.folder, packKey(pack.name)), offset + 1000);

    const other = freshStore();
    const report = await remote.fetch({ roots }, other);
    const reasons = Object.fromEntries(report.failed.map(({ path, reason }) => [path, reason]));
    const damaged = 'damaged in the remote: its content does not match its digest';
    expect(reasons).toEqual({ 'data/big': damaged, 'data/corrupt': damaged });
    for (const [name, entry] of files) {
      if (entry.kind === 'file') expect([name, other.has(entry.digest)]).toEqual([name, name === 'good']);
    }
    expect(readdirSync(other.tmpFolder())).toEqual([]);

    await place.remove(packKey(corrupt.pack.name));
    const gone = await remote.fetch({ roots }, freshStore());
    expect(gone.failed.map(({ path }) => path)).toEqual(['data']);
    expect(gone.failed[0]?.reason).toContain('the pack that should hold it is not there');
  });

  test('a tree that is damaged, or is none, brings nothing in', async () => {
    const place = newPlace();
    const store = freshStore();
    const artifact = await addFolder(store, { x: 'x', y: { z: 'z' } });
    const roots = [{ path: 'data', artifact }];
    const remote = await remoteAt(place, place.env);
    await remote.push({ roots }, store);
    const [index] = readIndexes(place.folder);
    const tree = index?.find(hashOf(artifact.digest), 0);
    if (tree === undefined) throw new Error('not in the index');
    damage(join(place.folder, packKey(tree.pack.name)), tree.offset + 5);
    const other = freshStore();
    expect((await remote.fetch({ roots }, other)).failed).toEqual([
      { path: 'data', digest: artifact.digest, reason: 'damaged in the remote: its content does not match its digest' },
    ]);
    expect([...other.list()]).toEqual([]);
    const file = addFile(store, 'no tree');
    await remote.push({ roots: [{ path: 'file', artifact: file }] }, store);
    const lie = { ...artifact, digest: file.digest };
    expect((await remote.fetch({ roots: [{ path: 'data', artifact: lie }] }, other)).failed).toEqual([
      { path: 'data', digest: file.digest, reason: "not a folder's listing, though its digest is right" },
    ]);
    expect([...other.list()]).toEqual([]);
  });

  test('a change in a large file, and an insertion at its head, move little; many copies move nothing', async () => {
    const place = newPlace();
    const store = freshStore();
    const before = noise(40 * 1024 * 1024, 'before');
    const changed = Buffer.from(before);
    noise(200_000, 'change').copy(changed, 17_000_000);
    const shifted = Buffer.concat([noise(100_000, 'head'), before]);
    const remote = await remoteAt(place, place.env);
    const push = async (bytes: Buffer, path: string) => {
      const artifact = addFile(store, bytes);
      return { artifact, report: await remote.push({ roots: [{ path, artifact }] }, store) };
    };
    expect((await push(before, 'before')).report.stored).toBeGreaterThan(before.length);
    const pushes = [await push(changed, 'changed'), await push(shifted, 'shifted')];
    for (const { report, artifact } of pushes) {
      expect(report).toMatchObject({ objects: 1, bytes: artifact.size, failed: [] });
      expect(report.stored).toBeLessThan(4 * 1024 * 1024);
    }
    const other = freshStore();
    const roots = pushes.map(({ artifact }, i) => ({ path: `${i}`, artifact }));
    expect((await remote.fetch({ roots }, other)).failed).toEqual([]);
    expect(Buffer.from(other.read(hashBytes(shifted))).equals(shifted)).toBe(true);
    expect(Buffer.from(other.read(hashBytes(changed))).equals(changed)).toBe(true);
  });

  test('what compresses is stored smaller and comes back whole', async () => {
    const place = newPlace();
    const store = freshStore();
    const text = Buffer.from(Array.from({ length: 300_000 }, (_, i) => `row ${i},${i % 7}\n`).join(''));
    const artifact = await addFolder(store, { 'table.csv': text, 'small.csv': text.subarray(0, 50_000) });
    const roots = [{ path: 'data', artifact }];
    const remote = await remoteAt(place, place.env);
    const report = await remote.push({ roots }, store);
    expect(report.bytes).toBeGreaterThan(text.length);
    expect(report.stored).toBeLessThan(text.length / 3);
    const other = freshStore();
    expect((await remote.fetch({ roots }, other)).failed).toEqual([]);
    expect(contentOf(other, artifact.digest)).toEqual(contentOf(store, artifact.digest));
  });

  test('run records follow their objects, are found by key, newest first, and are not believed blindly', async () => {
    const place = newPlace();
    const store = freshStore();
    const one = addFile(store, 'first result');
    const two = await addFolder(store, { model: 'second result' });
    const first = runRecord('{"lr":1}', { 'out/one': one }, '2026-01-01T00:00:00.000Z');
    const second = runRecord('{"lr":1}', { 'out/one': two }, '2026-02-01T00:00:00.000Z');
    const unrelated = runRecord('{"lr":2}', { 'out/one': one }, '2026-03-01T00:00:00.000Z');
    const remote = await remoteAt(place, place.env);
    const records = [first, second, unrelated];
    expect(await remote.push({ roots: [], records }, store)).toMatchObject({ objects: 4 - 1, records: 3, failed: [] });
    expect(await remote.push({ roots: [], records }, store)).toMatchObject({ objects: 0, records: 0, failed: [] });
    expect(await remote.findRuns(first.key)).toEqual([second, first]);
    expect(await remote.findRuns(runRecord('{"lr":3}', {}, first.startedAt).key)).toEqual([]);
    const keys: string[] = [];
    for await (const key of remote.listRuns()) keys.push(key);
    expect(keys).toEqual([first.key, unrelated.key].sort());
    const other = freshStore();
    for (const record of await remote.findRuns(first.key)) {
      const roots = Array.from(record.outs, ([path, artifact]) => ({ path, artifact }));
      expect((await remote.fetch({ roots }, other)).failed).toEqual([]);
    }
    expect(Buffer.from(other.read(one.digest)).toString()).toBe('first result');

    const folder = join(place.folder, 'runs', first.key.slice(0, 2), first.key);
    for (const name of readdirSync(folder)) {
      const file = join(folder, name);
      chmodSync(file, 0o644);
      const text = readFileSync(file, 'utf8');
      if (text.includes('2026-02')) writeFileSync(file, text.replace('2026-02', '2027-02'));
    }
    expect(await remote.findRuns(first.key)).toEqual([first]);
  });

  test('pushes at the same time, of overlapping content, all succeed and leave one whole remote', async () => {
    const place = newPlace();
    const shared = manyFiles(200, 'shared');
    const pushes = await Promise.all(
      Array.from({ length: 6 }, async (_, i) => {
        const store = freshStore();
        const artifact = await addFolder(store, { shared, [`own-${i}`]: manyFiles(50, `own ${i}`) });
        const remote = await remoteAt(place, place.env);
        return { artifact, report: await remote.push({ roots: [{ path: `data-${i}`, artifact }] }, store) };
      }),
    );
    for (const { report } of pushes) expect(report.failed).toEqual([]);
    const other = freshStore();
    const remote = await remoteAt(place, place.env);
    const roots = pushes.map(({ artifact }, i) => ({ path: `data-${i}`, artifact }));
    expect((await remote.fetch({ roots }, other)).failed).toEqual([]);
    await expectClosed(place.folder);
    for (const { artifact } of pushes) expect(Object.keys(contentOf(other, artifact.digest))).toHaveLength(2);
  });

  test('a check takes out what is damaged and what needs it, keeps the rest, and the next push heals it', async () => {
    const place = newPlace();
    const store = freshStore();
    const artifact = await addFolder(store, {
      deep: { er: { bad: noise(70_000, 'bad') }, fine: 'fine' },
      big: noise(10 * 1024 * 1024, 'big'),
      good: { x: 'x', y: noise(5_000, 'y') },
    });
    const roots = [{ path: 'data', artifact }];
    const remote = await remoteAt(place, place.env);
    await remote.push({ roots }, store);
    expect(await remote.check()).toMatchObject({
      packs: 1,
      damaged: [],
      needing: [],
      remade: { indexes: 0, packs: 0, entries: 0 },
    });
    const digests = new Map<string, Digest>();
    for (const { path, digest } of store.objectsOf(artifact)) digests.set(path, digest);
    const placeOf = (digest: Digest) => readIndexes(place.folder)[0]?.find(hashOf(digest), 0);
    const bad = placeOf(digests.get('deep/er/bad') as Digest);
    const piece = readIndexes(place.folder).flatMap((index) =>
      Array.from({ length: index.count }, (_, i) => index.place(i)).filter(({ size }) => size > 128 * 1024),
    )[0];
    if (bad === undefined || piece === undefined) throw new Error('not in the index');
    const file = join(place.folder, packKey(bad.pack.name));
    damage(file, bad.offset + 100);
    damage(file, piece.offset + 100);

    const found = await remote.check();
    expect(found.damaged.map(({ digest }) => digest).sort()).toEqual(
      [digests.get('deep/er/bad'), digests.get('big')].sort(),
    );
    // The folder, deep, and deep/er.
    expect(found.needing).toHaveLength(3);
    expect(existsSync(file)).toBe(false);
    const there = await (await remoteAt(place, place.env)).presence(digests.values());
    const named = Array.from(digests).flatMap(([path, digest]) => (there.has(digest) ? [path] : []));
    expect(named.sort()).toEqual(['deep/fine', 'good', 'good/x', 'good/y']);
    expect(await remote.check()).toMatchObject({ damaged: [], needing: [] });

    const healed = await (await remoteAt(place, place.env)).push({ roots }, store);
    expect(healed).toMatchObject({ objects: 5, failed: [] });
    expect(healed.stored).toBeLessThan(3 * 1024 * 1024);
    const other = freshStore();
    expect((await remote.fetch({ roots }, other)).failed).toEqual([]);
    expect(contentOf(other, artifact.digest)).toEqual(contentOf(store, artifact.digest));

    // A pack that is gone altogether, and made again under the same name.
    for (const index of readIndexes(place.folder)) {
      for (const { name } of index.packs)
        if (existsSync(join(place.folder, packKey(name)))) await place.remove(packKey(name));
    }
    expect((await remote.check()).damaged.length).toBeGreaterThan(3);
    expect((await remote.push({ roots }, store)).failed).toEqual([]);
    expect((await remote.fetch({ roots }, freshStore())).failed).toEqual([]);
  });

  test('many pushes are merged into few indexes, and what others read of the old ones stays good', async () => {
    const place = newPlace();
    const store = freshStore();
    const remote = await remoteAt(place, place.env);
    const early = await remoteAt(place, place.env);
    const artifacts = [];
    for (let i = 0; i < 20; i++) {
      const artifact = await addFolder(store, { [`${i}`]: `push ${i}`, same: 'same' });
      artifacts.push(artifact);
      expect((await remote.push({ roots: [{ path: 'data', artifact }] }, store)).failed).toEqual([]);
      if (i === 7) await early.presence([artifact.digest]);
    }
    const all = readIndexes(place.folder);
    const replaced = new Set(all.flatMap(({ head }) => head.replaces));
    const inForce = all.filter(({ name }) => !replaced.has(name));
    expect(inForce.length).toBeLessThan(12);
    // What was replaced within the hour is still there for readers with an old list.
    expect(all.length).toBeGreaterThan(20);
    expect(new Set(all.flatMap(({ head }) => head.roots.map(({ name }) => name)))).toEqual(
      new Set(artifacts.map(({ digest }) => digestHex(digest))),
    );
    await expectClosed(place.folder);
    const roots = artifacts.map((artifact, i) => ({ path: `${i}`, artifact }));
    for (const reader of [early, await remoteAt(place, place.env)]) {
      expect((await reader.fetch({ roots }, freshStore())).failed).toEqual([]);
    }
  });

  test('indexes that were replaced more than an hour ago go', async () => {
    const place = newPlace();
    if (kind === 'S3') return;
    const store = freshStore();
    const remote = await remoteAt(place, place.env);
    const push = async (i: number) => {
      const artifact = addFile(store, `push ${i}`);
      return await remote.push({ roots: [{ path: 'x', artifact }] }, store);
    };
    for (let i = 0; i < 9; i++) await push(i);
    const merged = readIndexes(place.folder).find(({ head }) => head.replaces.length > 0);
    if (merged === undefined) throw new Error('nothing was merged');
    const old = new Date(Date.now() - 2 * 60 * 60 * 1000);
    for (const file of readdirSync(join(place.folder, 'index')))
      utimesSync(join(place.folder, 'index', file), old, old);
    await push(10);
    await push(11);
    const left = new Set(readIndexes(place.folder).map(({ name }) => name));
    expect(merged.head.replaces.filter((name) => left.has(name))).toEqual([]);
    await expectClosed(place.folder);
  });

  test('what a collector drops while a push relies on it is sent again before anything names it', async () => {
    const place = newPlace();
    const store = freshStore();
    const shared = { file: 'shared by both', large: noise(3 * 1024 * 1024, 'shared') };
    const first = await addFolder(store, { shared });
    await (await remoteAt(place, place.env)).push({ roots: [{ path: 'data', artifact: first }] }, store);
    const collect = async () => {
      const names = readIndexes(place.folder).map(({ name }) => name);
      const dropped = readIndexes(place.folder).flatMap(({ packs }) => packs.map(({ name }) => ({ name, at: 1 })));
      const { name, bytes } = encodeIndex({ replaces: names, roots: [], dropped }, [], new EntryList());
      writeFileSync(join(place.folder, 'index', `${name}.index`), bytes);
    };
    const second = await addFolder(store, { shared, own: 'of the second' });
    let collected: Promise<void> | undefined;
    const onEvent = () => {
      collected ??= collect();
    };
    const remote = await remoteAt(place, place.env);
    const report = await remote.push({ roots: [{ path: 'data', artifact: second }] }, store, { onEvent });
    await collected;
    expect(report.failed).toEqual([]);
    const other = freshStore();
    expect((await remote.fetch({ roots: [{ path: 'data', artifact: second }] }, other)).failed).toEqual([]);
    expect(contentOf(other, second.digest)).toEqual(contentOf(store, second.digest));
  });

  test('a damaged index is as good as none: the next push sends again what it named', async () => {
    const place = newPlace();
    const store = freshStore();
    const artifact = await addFolder(store, manyFiles(50, 'damaged index'));
    const roots = [{ path: 'data', artifact }];
    await (await remoteAt(place, place.env)).push({ roots }, store);
    const [index] = readIndexes(place.folder);
    damage(join(place.folder, 'index', `${index?.name}.index`), 200);
    const remote = await remoteAt(place, place.env);
    expect(await remote.presence([artifact.digest])).toEqual(new Set());
    expect((await remote.fetch({ roots }, freshStore())).failed).toHaveLength(1);
    // The same files, so other packs only because of what else is pushed.
    const more = [...roots, { path: 'more', artifact: addFile(store, 'more') }];
    expect((await remote.push({ roots: more }, store)).failed).toEqual([]);
    expect((await remote.fetch({ roots }, freshStore())).failed).toEqual([]);
  });

  test('a push that is broken off before its index is there has sent nothing that anyone sees; the next goes on', async () => {
    const place = newPlace();
    const store = freshStore();
    const artifact = await addFolder(store, {
      many: manyFiles(300, 'broken off'),
      big: noise(40 * 1024 * 1024, 'off'),
    });
    const roots = [{ path: 'data', artifact }];
    const stop = new AbortController();
    const reason = new Error('Ctrl-C');
    const onEvent = (event: TransferEvent) => {
      if (event.kind === 'progress') stop.abort(reason);
    };
    const remote = await remoteAt(place, place.env);
    await expect(remote.push({ roots }, store, { signal: stop.signal, onEvent })).rejects.toBe(reason);
    expect(readIndexes(place.folder)).toEqual([]);
    const again = await remoteAt(place, place.env);
    expect((await again.push({ roots }, store)).failed).toEqual([]);
    expect((await again.fetch({ roots }, freshStore())).failed).toEqual([]);
  });

  test('a fetch that is broken off keeps what it has', async () => {
    const place = newPlace();
    const store = freshStore();
    const artifact = await addFolder(store, manyFiles(600, 'fetch broken off'));
    const roots = [{ path: 'data', artifact }];
    const remote = await remoteAt(place, place.env);
    await remote.push({ roots }, store);
    const other = freshStore();
    const stop = new AbortController();
    const onEvent = (event: TransferEvent) => {
      if (event.kind === 'progress' && event.objects >= 300) stop.abort(new Error('Ctrl-C'));
    };
    await expect(remote.fetch({ roots }, other, { signal: stop.signal, onEvent })).rejects.toThrow('Ctrl-C');
    expect([...other.list()].length).toBeGreaterThan(200);
    const report = await remote.fetch({ roots }, other);
    expect(report.failed).toEqual([]);
    expect(report.objects).toBeLessThan(400);
    expect(contentOf(other, artifact.digest)).toEqual(contentOf(store, artifact.digest));
  });

  test('a remote of a newer version, or something else under its name, is left alone', async () => {
    const store = freshStore();
    const roots = [{ path: 'x', artifact: addFile(store, 'x') }];
    for (const text of [
      '{"format":"dag-remote","version":99}',
      '{"format":"dag-remote","version":0}',
      '{"hello":1}',
      'not json',
    ]) {
      const place = newPlace();
      await (await remoteAt(place, place.env)).push({ roots: [] }, store);
      const marker = join(place.folder, 'dag-remote.json');
      chmodSync(marker, 0o644);
      writeFileSync(marker, text);
      const failure = await failureOf((await remoteAt(place, place.env)).push({ roots }, store));
      expect(failure).toMatchObject({ code: 'remote' });
      expect(failure.message).toContain('dag-remote.json');
      expect(existsSync(join(place.folder, 'packs'))).toBe(false);
    }
  });

  test('presence of many is found by a few lists, whatever else is there', async () => {
    const place = newPlace();
    const store = freshStore();
    const artifact = await addFolder(store, manyFiles(1500, 'presence'));
    const remote = await remoteAt(place, place.env);
    const all = [...store.list()].map((object) => object.digest);
    expect(await remote.presence(all)).toEqual(new Set());
    await remote.push({ roots: [{ path: 'data', artifact }] }, store);
    expect(await remote.presence(all)).toEqual(new Set(all));
    expect(await remote.presence(all.slice(0, 20))).toEqual(new Set(all.slice(0, 20)));
    const zeros = all.filter((digest) => digestHex(digest).startsWith('00'));
    expect(await remote.presence(zeros)).toEqual(new Set(zeros));
  });
});
