import { closeSync, openSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import type { Digest } from '@dag/model';
import { fsyncFolder, listNames, makeFolder } from './durable.ts';
import { isErrno, withIo } from './failure.ts';
import { hashBytes, hashFile } from './hash.ts';
import { type Layout, looseDigest, loosePath } from './layout.ts';
import { looseSize } from './loose.ts';
import { readRange } from './pack/read.ts';
import { salvagePack } from './pack/salvage.ts';
import type { PackSet } from './pack/set.ts';
import type { CheckedObject, CheckOptions, CheckPart, CheckReport, DamagedObject } from './types.ts';

/** A part of a check is closed when it has grown to so many bytes, or to so many objects. */
const PART_BYTES = 8 * 1024 * 1024;
const PART_COUNT = 2048;
/** Loose objects that are listed before they are checked. */
const LOOSE_AT_ONCE = 16_384;

/** See `Store.checkAll`. */
export async function checkAll(layout: Layout, packs: PackSet, options: CheckOptions): Promise<CheckReport> {
  const chosen = sampler(options);
  const run = options.run ?? runHere;
  const damaged: DamagedObject[] = [];
  let [objects, bytes] = [0, 0];
  const check = async (parts: readonly CheckPart[], onBad: (file: string, object: CheckedObject) => void) => {
    const done = (part: CheckPart, bad: readonly number[]): void => {
      objects += part.objects.length;
      for (const { size } of part.objects) bytes += size;
      for (const i of bad) onBad(part.file ?? '', part.objects[i] as CheckedObject);
      options.onProgress?.({ objects, bytes });
    };
    await run(parts, done, options.signal);
  };
  for (const reader of packs.readers()) {
    let bad = 0;
    const all = reader.inOrder().map(({ digest, range }) => ({ digest, offset: range.offset, size: range.length }));
    await check(cut(all.filter(chosen), reader.path), () => bad++);
    if (bad === 0) continue;
    packs.drop(reader);
    const { moved, dropped } = withIo('mend the pack', reader.path, () => salvagePack(layout, reader));
    for (const { digest, size } of dropped) damaged.push({ digest, size, reason: OTHER_DIGEST, quarantined: moved });
  }
  const checkLoose = (some: readonly CheckedObject[]): Promise<void> =>
    check(cut(some, undefined), (_, { digest, size }) => {
      const reason = isReadable(loosePath(layout, digest)) ? OTHER_DIGEST : 'it can not be read';
      const quarantined = quarantineLoose(layout, digest);
      if (quarantined !== undefined) damaged.push({ digest, size, reason, quarantined });
    });
  let some: CheckedObject[] = [];
  for (const { digest, size } of looseObjects(layout)) {
    if (!chosen()) continue;
    some.push({ digest, file: loosePath(layout, digest), offset: 0, size });
    if (some.length < LOOSE_AT_ONCE) continue;
    await checkLoose(some);
    some = [];
  }
  await checkLoose(some);
  return { objects, bytes, damaged, packs: packs.quarantined };
}

const OTHER_DIGEST = 'its content has another digest';

function cut(objects: readonly CheckedObject[], file: string | undefined): CheckPart[] {
  const parts: CheckPart[] = [];
  let part: CheckedObject[] = [];
  let bytes = 0;
  for (const object of objects) {
    part.push(object);
    bytes += object.size;
    if (bytes < PART_BYTES && part.length < PART_COUNT) continue;
    parts.push({ file, objects: part });
    part = [];
    bytes = 0;
  }
  if (part.length > 0) parts.push({ file, objects: part });
  return parts;
}

/** In this thread, with a breath for the event loop between parts. */
const runHere: NonNullable<CheckOptions['run']> = async (parts, done, signal) => {
  for (const part of parts) {
    signal?.throwIfAborted();
    done(part, checkPart(part));
    await new Promise((resolve) => setImmediate(resolve));
  }
};

/** Hashes the objects of a part. @returns which of them, by index, are not what their name says or can't be read. */
export function checkPart({ file, objects }: CheckPart): number[] {
  const bad: number[] = [];
  if (file === undefined) {
    for (const [i, { digest, file: own = '' }] of objects.entries()) {
      if (orNothing(own, () => hashFile(own).digest) !== digest) bad.push(i);
    }
    return bad;
  }
  const fd = orNothing(file, () => openSync(file, 'r'));
  if (fd === undefined) return [...objects.keys()];
  try {
    for (const [i, { digest, offset, size }] of objects.entries()) {
      const bytes = orNothing(file, () => readRange(fd, { offset, length: size }));
      if (bytes === undefined || hashBytes(bytes) !== digest) bad.push(i);
    }
  } finally {
    closeSync(fd);
  }
  return bad;
}

/** Every loose object, in the order of their names. */
export function* looseObjects(layout: Layout): Iterable<{ readonly digest: Digest; readonly size: number }> {
  for (const shard of listNames(layout.objects).sort()) {
    if (!/^[0-9a-f]{2}$/.test(shard)) continue;
    for (const name of readdirSync(join(layout.objects, shard))) {
      const digest = looseDigest(shard, name);
      const size = digest === undefined ? undefined : looseSize(layout, digest);
      if (digest !== undefined && size !== undefined) yield { digest, size };
    }
  }
}

/** Moves a loose object out of the way. @returns where it is now; undefined when it is gone already. */
export function quarantineLoose(layout: Layout, digest: Digest): string | undefined {
  const from = loosePath(layout, digest);
  const to = join(layout.quarantine, digest.slice('blake3:'.length));
  return withIo('move the damaged object', from, () => {
    makeFolder(layout.quarantine);
    try {
      renameSync(from, to);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
    fsyncFolder(join(from, '..'));
    return to;
  });
}

/** undefined where the disk can't give the bytes, or they are gone. */
function orNothing<T>(path: string, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isErrno(error, 'EIO', 'ENOENT', 'EUCLEAN', 'EBADMSG')) return undefined;
    return withIo('read', path, () => {
      throw error;
    });
  }
}

function isReadable(path: string): boolean {
  return orNothing(path, () => hashFile(path)) !== undefined;
}

function sampler({ sample = 1, random = Math.random }: CheckOptions): () => boolean {
  return sample >= 1 ? () => true : () => random() < sample;
}
