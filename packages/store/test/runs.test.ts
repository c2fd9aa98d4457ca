import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ProjectPath, parseRunKey, type RunKey, type RunRecord, type StageAddress } from '@dag/model';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { decodeRunRecord, encodeRunRecord, hashText, openStore, type Store } from '../src/index.ts';

let dir: string;
let store: Store;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'dag-runs-'));
  store = openStore({ dir });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const key = parseRunKey('a'.repeat(64)) as RunKey;

function record(more: Partial<RunRecord> = {}): RunRecord {
  return {
    schema: 1,
    key,
    stage: 'train' as StageAddress,
    fingerprint: '{"fingerprint":1}',
    outs: new Map([
      ['model.bin' as ProjectPath, { kind: 'file', digest: hashText('m'), size: 1, executable: true }],
      ['logs' as ProjectPath, { kind: 'folder', digest: hashText('l'), size: 5, files: 2 }],
    ]),
    startedAt: '2024-05-01T12:00:00.000Z',
    seconds: 1.5,
    context: { node: 'v20', cpus: 2, gpu: false },
    ...more,
  };
}

test('records of one key, newest first; the same one twice is one', async () => {
  const later = record({ startedAt: '2024-06-01T12:00:00.000Z' });
  await store.runs.putAll([record()]);
  await store.runs.putAll([later]);
  await store.runs.putAll([record()]);
  expect(store.runs.find(key)).toEqual([later, record()]);
  expect(openStore({ dir }).runs.find(key)).toHaveLength(2);
  expect([...store.runs.list()]).toHaveLength(2);
  expect(store.runs.find('b'.repeat(64) as RunKey)).toEqual([]);
});

test('many records are put at once as each by itself, and one of them that is damaged is written anew', async () => {
  const single = openStore({ dir: join(dir, 'single') });
  const records = Array.from({ length: 210 }, (_, i) =>
    record({ key: parseRunKey(i.toString(16).padStart(3, '0').repeat(22).slice(0, 64)) as RunKey }),
  );
  for (const one of records) await single.runs.putAll([one]);
  await store.runs.putAll([...records, ...records.slice(0, 3)]);
  const filesIn = (of: Store) =>
    [...of.runs.files()].map(({ file, size, record: held }) => [file.slice(of.dir.length), size, held]);
  expect(filesIn(store)).toEqual(filesIn(single));
  expect(readdirSync(join(dir, 'tmp'))).toEqual([]);

  const [first] = [...store.runs.files()];
  chmodSync(first?.file as string, 0o644);
  writeFileSync(first?.file as string, 'damaged');
  await store.runs.putAll(records);
  expect(filesIn(store)).toEqual(filesIn(single));
  await store.runs.putAll([]);
});

test('of many records none appears when one of them can not be written', async () => {
  function* some(): Iterable<RunRecord> {
    yield record();
    throw new Error('no more');
  }
  await expect(store.runs.putAll(some())).rejects.toThrow('no more');
  expect([...store.runs.files()]).toEqual([]);
  expect(readdirSync(join(dir, 'tmp'))).toEqual([]);
});

test('a damaged record is passed over, and written anew', async () => {
  await store.runs.putAll([record()]);
  const folder = join(dir, 'runs/aa', key);
  const file = join(folder, readdirSync(folder)[0] as string);
  const good = readFileSync(file, 'utf8');
  chmodSync(file, 0o644);
  for (const text of [
    '',
    good.slice(0, 50),
    'null',
    '[]',
    '{"schema":2}',
    good.replaceAll('a'.repeat(64), 'b'.repeat(64)),
  ]) {
    writeFileSync(file, text);
    expect(store.runs.find(key)).toEqual([]);
    expect([...store.runs.list()]).toEqual([]);
  }
  await store.runs.putAll([record()]);
  expect(store.runs.find(key)).toEqual([record()]);
});

test.each([
  ['an out outside the project', { outs: { '../x': { digest: hashText('x'), size: 1 } } }],
  ['an out that is the project', { outs: { '': { digest: hashText('x'), size: 1 } } }],
  ['an absolute out', { outs: { '/etc/x': { digest: hashText('x'), size: 1 } } }],
  ['a digest that is none', { outs: { x: { digest: 'blake3:12', size: 1 } } }],
  ['a negative size', { outs: { x: { digest: hashText('x'), size: -1 } } }],
  ['outs that are a list', { outs: [] }],
  ['a key that is none', { key: '../../x' }],
  ['a context that is nested', { context: { a: {} } }],
  ['a start that is no time', { startedAt: 'yesterday' }],
  ['a duration that is text', { seconds: '1' }],
])('%s is no record', (_, change) => {
  const json = { ...(JSON.parse(encodeRunRecord(record())) as object), ...change };
  expect(decodeRunRecord(JSON.stringify(json)).ok).toBe(false);
});
