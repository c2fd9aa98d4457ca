import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Artifact,
  type Digest,
  decodeTree,
  digestHex,
  encodeTree,
  FailureError,
  type ProjectPath,
  parseRunKey,
  type RunRecord,
  type StageAddress,
  type TreeEntry,
} from '@dag/model';
import { digestAt, hashBytes, hashText, openStore, type Store } from '@dag/store';
import { expect } from 'vitest';
import { decode, prepareCodec } from '../src/chunk/codec.ts';
import { KIND } from '../src/format/entry.ts';
import { PIECE_MAX } from '../src/format/limits.ts';
import { decodeList } from '../src/format/list.ts';
import { IndexObject } from '../src/index/object.ts';
import { type OpenOptions, openRemote, type Remote, type RemoteConfig } from '../src/index.ts';
import { packKey } from '../src/layout.ts';

/** Folders that the tests of one file make, and remove at its end. */
const folders: string[] = [];

export function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'dag-remote-'));
  folders.push(folder);
  return folder;
}

export function removeFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

export function freshStore(): Store {
  return openStore({ dir: join(freshFolder(), '.cache') });
}

/** A folder's content: bytes or text for a file, a map for a folder. */
export interface Content {
  readonly [name: string]: Uint8Array | string | Content;
}

/** Puts a folder into a store, as a commit would. */
export async function addFolder(store: Store, content: Content): Promise<Extract<Artifact, { kind: 'folder' }>> {
  const batch = store.writeBatch();
  const add = (folder: Content): Extract<Artifact, { kind: 'folder' }> => {
    const entries: TreeEntry[] = [];
    for (const [name, value] of Object.entries(folder)) {
      if (typeof value === 'string' || value instanceof Uint8Array) {
        const bytes = typeof value === 'string' ? Buffer.from(value) : value;
        entries.push({ kind: 'file', name, executable: false, size: bytes.length, digest: batch.put(bytes) });
      } else {
        const { size, files, digest } = add(value);
        entries.push({ kind: 'folder', name, size, files, digest });
      }
    }
    const files = entries.reduce((sum, e) => sum + (e.kind === 'file' ? 1 : e.kind === 'folder' ? e.files : 0), 0);
    const size = entries.reduce((sum, e) => sum + (e.kind === 'symlink' ? 0 : e.size), 0);
    return { kind: 'folder', digest: batch.put(encodeTree(entries)), size, files };
  };
  const artifact = add(content);
  await batch.commit();
  return artifact;
}

export function addFile(store: Store, bytes: Uint8Array | string): Extract<Artifact, { kind: 'file' }> {
  const content = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
  return { kind: 'file', digest: store.putBytes(content), size: content.length, executable: false };
}

/**
 * The content of an artifact as the store has it (of a file that is not small: its hash), each object checked on the way;
 * throws where something is missing.
 */
export function contentOf(store: Store, digest: Digest): Content {
  const content: Record<string, string | Content> = {};
  for (const entry of store.readTree(digest)) {
    if (entry.kind === 'file') {
      const bytes = store.read(entry.digest);
      content[entry.name] = bytes.length < 4096 ? Buffer.from(bytes).toString('latin1') : hashBytes(bytes);
    }
    if (entry.kind === 'folder') content[entry.name] = contentOf(store, entry.digest);
  }
  return content;
}

/** `n` small files in folders of a hundred, each different. */
export function manyFiles(n: number, seed: string): Content {
  const content: Record<string, Record<string, string>> = {};
  for (let i = 0; i < n; i++) {
    const folder = `part-${String(Math.floor(i / 100)).padStart(4, '0')}`;
    content[folder] ??= {};
    content[folder][`${i}.txt`] = `${seed} ${i} ${createHash('sha256').update(`${seed}${i}`).digest('hex')}\n`;
  }
  return content;
}

/** Bytes that no compressor or deduplication makes smaller, the same for the same seed. */
export function noise(size: number, seed: string): Buffer {
  const blocks: Buffer[] = [];
  for (let at = 0; at < size; at += 1 << 16) {
    blocks.push(
      createHash('shake256', { outputLength: 1 << 16 })
        .update(`${seed}${at}`)
        .digest(),
    );
  }
  return Buffer.concat(blocks).subarray(0, size);
}

export function runRecord(text: string, outs: Record<string, Artifact>, startedAt: string): RunRecord {
  const key = parseRunKey(digestHex(hashText(text)));
  if (key === undefined) throw new Error('no run key');
  return {
    schema: 1,
    key,
    stage: 'train' as StageAddress,
    fingerprint: text,
    outs: new Map(Object.entries(outs) as [ProjectPath, Artifact][]),
    startedAt,
    seconds: 1.5,
    context: { node: '20' },
  };
}

/** A remote that does not wait long before it tries again. */
export async function remoteAt(
  config: Partial<RemoteConfig> & { url: string },
  env: Record<string, string | undefined> = {},
  options: Pick<OpenOptions, 'by' | 'times'> = {},
): Promise<Remote> {
  const retry = { firstDelayMs: 5, maxDelayMs: 50 };
  return await openRemote({ name: 'store', ...config }, { env, root: freshFolder(), retry, ...options });
}

/** What a promise failed with; fails itself where it was anything but a failure. */
export async function failureOf(
  promise: Promise<unknown>,
): Promise<FailureError['failure'] & { message: string; hint?: string }> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof FailureError && error.failure.code !== 'invalid-pipeline') return error.failure;
    throw error;
  }
  throw new Error('it succeeded');
}

/** The index objects of a remote that is a folder, or whose server keeps it as one. */
export function readIndexes(folder: string): IndexObject[] {
  const at = join(folder, 'index');
  const files = (existsSync(at) ? readdirSync(at) : []).filter((file) => file.endsWith('.index'));
  return files.map((file) => {
    const index = IndexObject.decode(file.replace('.index', ''), readFileSync(join(at, file)));
    if (index === undefined) throw new Error(`${file} is damaged`);
    return index;
  });
}

/** Turns one byte of a file round. */
export function damage(file: string, at: number): void {
  chmodSync(file, 0o644);
  const bytes = readFileSync(file);
  bytes[at] = (bytes[at] ?? 0) ^ 0x80;
  writeFileSync(file, bytes);
}

/**
 * Fails unless all that the indexes in force of a remote name is in its packs and whole, and all that is named by the trees and lists
 * among it is there too.
 */
export async function expectClosed(folder: string): Promise<void> {
  await prepareCodec();
  const there = new Set<string>();
  const named = new Set<string>();
  const indexes = readIndexes(folder);
  const replaced = new Set(indexes.flatMap(({ head }) => head.replaces));
  for (const index of indexes.filter(({ name }) => !replaced.has(name))) {
    for (let i = 0; i < index.count; i++) {
      const { pack, offset, stored, codec, kind } = index.place(i);
      there.add(index.digest(i));
      const bytes = readFileSync(join(folder, packKey(pack.name)));
      expect(bytes.length).toBe(pack.length);
      const content = decode(codec, bytes.subarray(offset, offset + stored), PIECE_MAX);
      if (content === undefined) throw new Error('an entry that can not be decoded');
      if (kind !== KIND.bytes) {
        const pieces = decodeList(Buffer.from(content), undefined) ?? [];
        expect(pieces.length).toBeGreaterThan(0);
        for (const { hash } of pieces) named.add(digestAt(hash, 0));
        continue;
      }
      expect(hashBytes(content)).toBe(index.digest(i));
      const tree = decodeTree(content);
      for (const entry of tree.ok ? tree.value : []) if (entry.kind !== 'symlink') named.add(entry.digest);
    }
  }
  expect([...named].filter((digest) => !there.has(digest))).toEqual([]);
}

/** A small generator of numbers in [0, 1), the same for the same seed (Mulberry32). */
export function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
