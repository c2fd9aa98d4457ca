import { lstatSync } from 'node:fs';
import type { Digest } from '@dag/model';
import { looseObjects } from '../check.ts';
import { type Layout, loosePath } from '../layout.ts';
import type { PackReader } from '../pack/read.ts';
import type { PackSet } from '../pack/set.ts';
import type { GcPlan } from '../types.ts';

/** A pack up to this size (bytes) is written anew for any dead object; it costs little. */
const SMALL_PACK = 16 * 1024 * 1024;
/** A larger one when at least this share of its bytes is dead. */
const DEAD_SHARE = 0.25;

/** See `Store.planGc`. */
export function planGc(layout: Layout, packs: PackSet, live: ReadonlySet<Digest>, since: bigint): GcPlan {
  const dead = new Map<Digest, number>();
  const kept = { objects: 0, bytes: 0 };
  const keep = (size: number): void => {
    kept.objects++;
    kept.bytes += size;
  };
  const loose: { digest: Digest; inode: bigint }[] = [];
  for (const { digest, size } of looseObjects(layout)) {
    const stats = live.has(digest)
      ? undefined
      : lstatSync(loosePath(layout, digest), { bigint: true, throwIfNoEntry: false });
    if (stats === undefined || stats.ctimeNs >= since) {
      keep(size);
      continue;
    }
    dead.set(digest, size);
    loose.push({ digest, inode: stats.ino });
  }
  const going: { path: string; inode: bigint; live: Digest[] }[] = [];
  for (const reader of packs.readers()) {
    const stats = lstatSync(reader.path, { bigint: true, throwIfNoEntry: false });
    const split = splitPack(reader, live);
    const isWorthIt = split.dead.length > 0 && (split.size <= SMALL_PACK || split.deadBytes >= split.size * DEAD_SHARE);
    if (stats === undefined || stats.ctimeNs >= since || !isWorthIt) {
      for (const { size } of reader.list()) keep(size);
      continue;
    }
    going.push({ path: reader.path, inode: stats.ino, live: split.live });
    for (const { digest, size } of split.dead) dead.set(digest, size);
    kept.objects += split.live.length;
    kept.bytes += split.size - split.deadBytes;
  }
  let bytes = 0;
  for (const size of dead.values()) bytes += size;
  return { dead, loose, packs: going, bytes, kept };
}

function splitPack(reader: PackReader, live: ReadonlySet<Digest>) {
  const kept: Digest[] = [];
  const dead: { digest: Digest; size: number }[] = [];
  let [size, deadBytes] = [0, 0];
  for (const object of reader.list()) {
    size += object.size;
    if (live.has(object.digest)) {
      kept.push(object.digest);
    } else {
      dead.push(object);
      deadBytes += object.size;
    }
  }
  return { live: kept, dead, size, deadBytes };
}
