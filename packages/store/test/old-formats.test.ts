import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Artifact, type Digest, digestHex, type RunKey } from '@dag/model';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStore, type Store } from '../src/index.ts';

// Caches as older versions wrote them, kept as files: they are to be readable for ever. Never write one of them anew.

let dir: string;
let store: Store;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'dag-old-'));
  cpSync(fileURLToPath(new URL('./fixtures/cache-1', import.meta.url)), dir, { recursive: true });
  store = openStore({ dir });
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true, force: true });
});

const DATA: Artifact = {
  kind: 'folder',
  digest: 'blake3:82c0a0cadbe6770f36b35f3349441f5b315cc5782888ccc1a75ed3197223b425' as Digest,
  size: 70202,
  files: 23,
};
const KEY = '96f5357dfe14517918ed75db385db2f5441cc6e39f5e3bd63b63d785a3199337' as RunKey;

test('version 1: every object is whole, in packs and as a file', async () => {
  expect(await store.checkAll()).toMatchObject({ objects: 30, bytes: 72_301, damaged: [], packs: [] });
  expect(store.isComplete(DATA)).toBe(true);
});

test('version 1: a folder with all that a listing can hold', () => {
  const top = store.readTree(DATA.digest).map((entry) => {
    if (entry.kind === 'symlink') return `${entry.name} -> ${entry.target}`;
    const what = entry.kind === 'folder' ? `${entry.files} files` : entry.executable ? 'executable' : 'file';
    return `${entry.name} ${what} ${entry.size} ${digestHex(entry.digest).slice(0, 8)}`;
  });
  expect(top).toMatchInlineSnapshot(`
    [
      "a 20 files 190 7a2f10ae",
      "empty 0 files 0 196e7d30",
      "large.bin file 70000 a3691960",
      "link -> a/f1",
      "run.sh executable 10 bc1f407a",
      "ü file 2 9b7670f4",
    ]
  `);
  const files = [...store.objectsOf(DATA)].filter(({ kind }) => kind === 'file');
  expect(files.map(({ path }) => path)).toContain('a/line\nend');
  for (const { digest } of files) expect(store.check(digest)).toBeUndefined();
  const f7 = files.find(({ path }) => path === 'a/f7')?.digest as Digest;
  expect(Buffer.from(store.read(f7)).toString()).toBe('content 7\n');
});

test('version 1: a run record and what it names', () => {
  const [record, ...more] = store.runs.find(KEY);
  expect(more).toEqual([]);
  expect(record).toMatchObject({ stage: 'make', seconds: 0.246, startedAt: '2026-01-02T03:04:05.678Z' });
  for (const artifact of record?.outs.values() ?? []) expect(store.isComplete(artifact)).toBe(true);
  expect(record?.outs.size).toBe(2);
});
