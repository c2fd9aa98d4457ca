import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { batches, type Rows, type Values } from '../../src/public/data.ts';

/** A folder of this file's tests, removed after them. */
export function testFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'dag-data-')));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** All numbers of some rows, in order. */
export async function readAll(rows: Rows): Promise<number[]> {
  const reader = await rows.open();
  const values: Values = await reader.read(Uint32Array.from({ length: rows.count }, (_, i) => i));
  await reader.close();
  return [...values];
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** What reading in batches comes to. */
export async function failure(from: Parameters<typeof batches>[0]): Promise<string> {
  try {
    await collect(batches(from, { size: 2 }));
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
  throw new Error('nothing failed');
}
