import { readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import type { Digest } from '@dag/model';
import { fsyncFolder, listNames, makeFolder } from './durable.ts';
import { isErrno, withIo } from './failure.ts';
import { hashBytes, hashFile } from './hash.ts';
import { type Layout, looseDigest, loosePath } from './layout.ts';
import { looseSize } from './loose.ts';
import { salvagePack } from './pack/salvage.ts';
import type { PackSet } from './pack/set.ts';
import type { CheckOptions, CheckReport, DamagedObject } from './types.ts';

/** How long (ms) it works before it lets others have a turn. */
const TURN_MS = 20;

/** See `Store.checkAll`. */
export async function checkAll(layout: Layout, packs: PackSet, options: CheckOptions): Promise<CheckReport> {
  const chosen = sampler(options);
  const damaged: DamagedObject[] = [];
  let [objects, bytes] = [0, 0];
  let turn = performance.now();
  const checked = async (size: number): Promise<void> => {
    objects++;
    bytes += size;
    if (performance.now() - turn < TURN_MS) return;
    options.onProgress?.({ objects, bytes });
    await new Promise((resolve) => setImmediate(resolve));
    options.signal?.throwIfAborted();
    turn = performance.now();
  };
  for (const reader of packs.readers()) {
    let bad = 0;
    for (const { digest, range } of reader.inOrder()) {
      if (!chosen()) continue;
      const found = readOrNothing(reader.path, () => packs.read(reader, range));
      if (found === undefined || hashBytes(found) !== digest) bad++;
      await checked(range.length);
    }
    if (bad === 0) continue;
    packs.drop(reader);
    const { moved, dropped } = withIo('mend the pack', reader.path, () => salvagePack(layout, reader));
    for (const { digest, size } of dropped) {
      damaged.push({ digest, size, reason: 'its content has another digest', quarantined: moved });
    }
  }
  for (const { digest, size } of looseObjects(layout)) {
    if (!chosen()) continue;
    const file = loosePath(layout, digest);
    const found = readOrNothing(file, () => hashFile(file).digest);
    await checked(size);
    if (found === digest) continue;
    const quarantined = quarantineLoose(layout, digest);
    if (quarantined === undefined) continue;
    const reason = found === undefined ? 'it can not be read' : 'its content has another digest';
    damaged.push({ digest, size, reason, quarantined });
  }
  return { objects, bytes, damaged, packs: packs.quarantined };
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
function readOrNothing<T>(path: string, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isErrno(error, 'EIO', 'ENOENT', 'EUCLEAN', 'EBADMSG')) return undefined;
    return withIo('read', path, () => {
      throw error;
    });
  }
}

function sampler({ sample = 1, random = Math.random }: CheckOptions): () => boolean {
  return sample >= 1 ? () => true : () => random() < sample;
}
