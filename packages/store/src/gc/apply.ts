import { existsSync, lstatSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import type { Digest } from '@dag/model';
import { fsyncFile, fsyncFolder, makeFolder, removeFile } from '../durable.ts';
import { isErrno, withIo } from '../failure.ts';
import { hashBytes } from '../hash.ts';
import { type Layout, loosePath } from '../layout.ts';
import { tempName } from '../owner.ts';
import type { PackReader } from '../pack/read.ts';
import type { PackSet } from '../pack/set.ts';
import { PackWriter } from '../pack/write.ts';
import { sweepPartials } from '../partial.ts';
import type { GcPlan } from '../types.ts';

/** Files removed before others get a turn. */
const TURN = 500;

/** See `Store.applyGc`. A kill at any point leaves every object that is to stay in one place at least. */
export async function applyGc(layout: Layout, packs: PackSet, plan: GcPlan, signal?: AbortSignal): Promise<void> {
  makeFolder(layout.tmp);
  const readers = new Map(packs.readers().map((reader) => [reader.path, reader]));
  for (const { path, inode, live } of plan.packs) {
    await turn(signal);
    const reader = readers.get(path);
    if (reader === undefined) continue;
    withIo('write the pack anew', path, () => {
      if (live.length > 0 && !rewrite(layout, reader, new Set(live))) return;
      packs.drop(reader);
      removeUnchanged(layout, path, inode);
    });
  }
  for (const [i, { digest, inode }] of plan.loose.entries()) {
    if (i % TURN === 0) await turn(signal);
    const path = loosePath(layout, digest);
    withIo('remove', path, () => removeUnchanged(layout, path, inode));
  }
  withIo('sweep', layout.partial, () => sweepPartials(layout, Date.now(), 0));
}

async function turn(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  signal?.throwIfAborted();
}

/**
 * Publishes a pack with only these objects of another.
 * @returns false, with nothing changed, where one of them is damaged: `dag fsck` has to see that pack first.
 */
function rewrite(layout: Layout, reader: PackReader, live: ReadonlySet<Digest>): boolean {
  const writer = new PackWriter(layout.tmp);
  try {
    for (const { digest, range } of reader.inOrder()) {
      if (!live.has(digest)) continue;
      const bytes = reader.read(range);
      if (hashBytes(bytes) !== digest) {
        writer.discard();
        return false;
      }
      writer.add(bytes, digest);
    }
    const name = writer.close();
    fsyncFile(writer.temp);
    renameSync(writer.temp, join(layout.packs, name));
  } catch (error) {
    writer.discard();
    throw error;
  }
  fsyncFolder(layout.packs);
  return true;
}

/** Removes a file unless another took its name: it is renamed first, so that what is removed is what was looked at. */
function removeUnchanged(layout: Layout, path: string, inode: bigint): void {
  const temp = join(layout.tmp, tempName('dead'));
  try {
    if (lstatSync(path, { bigint: true }).ino !== inode) return;
    renameSync(path, temp);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return;
    throw error;
  }
  if (lstatSync(temp, { bigint: true }).ino !== inode && !existsSync(path)) renameSync(temp, path);
  else removeFile(temp);
}
