import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Digest, digestHex, encodeTree, type FailureError, type TreeEntry } from '@dag/model';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { asNobody } from '../../../test/rigs/nobody.ts';
import { hashBytes, ObjectDamaged, ObjectMissing, openStore, type Store, tempName } from '../src/index.ts';

let dir: string;
let store: Store;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'dag-store-'));
  store = openStore({ dir });
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true, force: true });
});

const small = (i: number): Buffer => Buffer.from(`object ${i}`);
const absent = hashBytes(Buffer.from('never stored'));

async function putMany(count: number): Promise<Digest[]> {
  const batch = store.writeBatch();
  const digests = Array.from({ length: count }, (_, i) => batch.put(small(i)));
  await batch.commit();
  return digests;
}

function files(folder: string): string[] {
  return existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((e) => e.isFile())
        .map((e) => join(e.parentPath, e.name))
    : [];
}

describe('objects', () => {
  test('opening makes nothing', () => {
    expect(store.has(absent)).toBe(false);
    expect(readdirSync(dir)).toEqual([]);
  });

  test('a few small ones become read-only files, named by their hash', async () => {
    const [digest] = await putMany(3);
    const hex = digestHex(digest as Digest);
    const path = join(dir, 'objects', hex.slice(0, 2), hex.slice(2));
    expect(readFileSync(path)).toEqual(small(0));
    expect(statSync(path).mode & 0o777).toBe(0o444);
    expect(existsSync(join(dir, 'packs'))).toBe(false);
  });

  test('many small ones become one pack, and come back', async () => {
    const digests = await putMany(1000);
    expect(readdirSync(join(dir, 'packs'))).toHaveLength(1);
    expect(files(join(dir, 'objects'))).toEqual([]);
    for (const [i, digest] of digests.entries()) {
      expect(store.read(digest)).toEqual(small(i));
      expect(store.size(digest)).toBe(small(i).length);
    }
    expect(store.missing([absent, ...digests, absent])).toEqual([absent]);
    expect(new Set([...store.list()].map((o) => o.digest))).toEqual(new Set(digests));
  });

  test('an empty object is one', async () => {
    const digest = store.putBytes(new Uint8Array());
    expect(digestHex(digest)).toBe('af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262');
    expect(openStore({ dir }).read(digest)).toHaveLength(0);
  });

  test('large ones stand alone', async () => {
    const batch = store.writeBatch();
    const bytes = randomBytes(100_000);
    const digest = batch.put(bytes);
    for (let i = 0; i < 20; i++) batch.put(small(i));
    await batch.commit();
    expect(store.locate(digest)?.kind).toBe('loose');
    expect(Buffer.compare(store.read(digest), bytes)).toBe(0);
  });

  test('nothing is visible before commit, or after discard', async () => {
    const batch = store.writeBatch();
    const digests = Array.from({ length: 40 }, (_, i) => batch.put(small(i)));
    expect(store.missing(digests)).toHaveLength(40);
    batch.discard();
    expect(store.missing(digests)).toHaveLength(40);
    expect(readdirSync(join(dir, 'tmp'))).toEqual([]);
  });

  test('what is there already is not written again', async () => {
    await putMany(30);
    const before = files(dir);
    await putMany(30);
    expect(files(dir)).toEqual(before);
  });

  test('what another store wrote is seen', async () => {
    await putMany(20);
    const other = openStore({ dir });
    const batch = other.writeBatch();
    const digests = Array.from({ length: 30 }, (_, i) => batch.put(small(1000 + i)));
    await batch.commit();
    expect(store.missing(digests)).toEqual([]);
    expect(store.read(digests[7] as Digest)).toEqual(small(1007));
  });

  test('a downloaded file is checked before it is taken in', () => {
    const bytes = Buffer.from('downloaded');
    const temp = join(store.tmpFolder(), tempName('fetch'));
    writeFileSync(temp, 'something else');
    expect(() => store.importFile(temp, hashBytes(bytes))).toThrow(ObjectDamaged);
    writeFileSync(temp, bytes);
    store.importFile(temp, hashBytes(bytes));
    expect(store.read(hashBytes(bytes))).toEqual(bytes);
    expect(existsSync(temp)).toBe(false);
  });

  test('a missing object is a failure that names it', () => {
    expect(() => store.read(absent)).toThrow(ObjectMissing);
    try {
      store.read(absent);
    } catch (error) {
      expect((error as FailureError).failure).toMatchObject({ code: 'objects-failed', failed: [{ digest: absent }] });
    }
  });
});

describe('damage', () => {
  test('a damaged loose object goes to quarantine, and can be stored again', () => {
    const digest = store.putBytes(small(1));
    const hex = digestHex(digest);
    const path = join(dir, 'objects', hex.slice(0, 2), hex.slice(2));
    chmodSync(path, 0o644);
    writeFileSync(path, 'Object 1');
    expect(() => store.read(digest)).toThrow(ObjectDamaged);
    expect(store.has(digest)).toBe(false);
    expect(readdirSync(join(dir, 'quarantine'))).toEqual([hex]);
    store.putBytes(small(1));
    expect(store.read(digest)).toEqual(small(1));
  });

  test('a damaged object in a pack is taken out, the others stay', async () => {
    const digests = await putMany(50);
    const place = store.locate(digests[20] as Digest);
    if (place?.kind !== 'packed') throw new Error('expected a pack');
    const pack = readFileSync(place.pack);
    pack[place.offset] = (pack[place.offset] as number) ^ 1;
    chmodSync(place.pack, 0o644);
    writeFileSync(place.pack, pack);
    expect(() => store.read(digests[20] as Digest)).toThrow(ObjectDamaged);
    expect(store.missing(digests)).toEqual([digests[20]]);
    for (const [i, digest] of digests.entries()) if (i !== 20) expect(store.read(digest)).toEqual(small(i));
    expect(openStore({ dir }).missing(digests)).toEqual([digests[20]]);
    store.putBytes(small(20));
    expect(store.missing(digests)).toEqual([]);
  });

  test.each(['footer', 'index', 'cut', 'empty'])(
    'a pack with a bad %s is put away as a whole, and made again',
    async (part) => {
      const digests = await putMany(50);
      store.close();
      const name = readdirSync(join(dir, 'packs'))[0] as string;
      const path = join(dir, 'packs', name);
      let bytes = readFileSync(path);
      if (part === 'footer') bytes[bytes.length - 20] = (bytes[bytes.length - 20] as number) ^ 1;
      if (part === 'index') bytes[bytes.length - 100] = (bytes[bytes.length - 100] as number) ^ 1;
      if (part === 'cut') bytes = bytes.subarray(0, bytes.length - 10);
      if (part === 'empty') bytes = Buffer.alloc(0);
      chmodSync(path, 0o644);
      writeFileSync(path, bytes);
      store = openStore({ dir });
      expect(store.missing(digests)).toEqual(digests);
      expect(readdirSync(join(dir, 'quarantine'))).toEqual([name]);
      await putMany(50);
      expect(store.missing(digests)).toEqual([]);
      expect(store.read(digests[49] as Digest)).toEqual(small(49));
    },
  );

  test('a damaged object in a pack that can not be mended takes none of the others along', async () => {
    const digests = await putMany(40);
    store.close();
    const [pack = ''] = files(join(dir, 'packs'));
    const bytes = readFileSync(pack);
    bytes[bytes.indexOf('object 7')] = 0x58;
    chmodSync(pack, 0o644);
    writeFileSync(pack, bytes);
    await asNobody([dir], async () => {
      for (const folder of ['packs', 'tmp', '.']) chmodSync(join(dir, folder), 0o555);
      const other = openStore({ dir });
      try {
        for (const [i, digest] of digests.entries()) {
          if (i === 7) expect(() => other.read(digest)).toThrow(ObjectDamaged);
          else expect(Buffer.from(other.read(digest))).toEqual(small(i));
        }
        expect(other.missing(digests)).toEqual([digests[7]]);
      } finally {
        other.close();
        for (const folder of ['.', 'packs', 'tmp']) chmodSync(join(dir, folder), 0o755);
      }
    });
  });

  test('an object that is no folder listing is damaged as a tree only', () => {
    const digest = store.putBytes(small(1));
    expect(() => store.readTree(digest)).toThrow(/no folder listing/);
    expect(store.read(digest)).toEqual(small(1));
  });

  test('check tells missing, damaged and whole apart', async () => {
    const digests = await putMany(20);
    const large = store.putBytes(randomBytes(70_000));
    expect(store.check(absent)).toBe('missing');
    expect(store.check(digests[3] as Digest)).toBeUndefined();
    expect(store.check(large)).toBeUndefined();
    const place = store.locate(large);
    if (place?.kind !== 'loose') throw new Error('expected a file');
    chmodSync(place.file, 0o644);
    writeFileSync(place.file, 'x');
    expect(store.check(large)).toBe('damaged');
    expect(store.check(large)).toBe('missing');
  });
});

describe('artifacts', () => {
  test('objectsOf walks trees, each object once, and reports a tree that is missing', () => {
    const file = store.putBytes(small(1));
    const lost: TreeEntry = { kind: 'folder', name: 'lost', size: 1, files: 1, digest: absent };
    const inner = store.putBytes(encodeTree([{ kind: 'file', name: 'a', executable: false, size: 8, digest: file }]));
    const folder = (name: string): TreeEntry => ({ kind: 'folder', name, size: 8, files: 1, digest: inner });
    const entries: TreeEntry[] = [folder('x'), folder('y'), lost, { kind: 'symlink', name: 'l', target: 'x' }];
    const root = store.putBytes(encodeTree(entries));
    const failures: string[] = [];
    const objects = [
      ...store.objectsOf({ kind: 'folder', digest: root, size: 17, files: 3 }, (f) =>
        failures.push(`${f.path}: ${f.reason}`),
      ),
    ];
    expect(objects.map((o) => `${o.kind} ${o.path}`).sort()).toEqual(['file y/a', 'tree ', 'tree lost', 'tree y']);
    expect(failures).toEqual(['lost: not in the cache']);
  });
});

test('leftovers of dead processes are swept, those of the living stay', () => {
  const tmp = store.tmpFolder();
  const mine = tempName('pack');
  const dead = mine.replace(/-(\d+)-(\d+)-/, '-999999999-1-');
  for (const name of [mine, dead, 'not-ours']) writeFileSync(join(tmp, name), '');
  store.sweep();
  expect(readdirSync(tmp).sort()).toEqual([mine, 'not-ours'].sort());
});
