import { statSync } from 'node:fs';
import { STAT_COLUMNS, type StatCache } from '@dag/store';
import type { PlaceResult } from '../threads/protocol.ts';
import type { Placement } from './plan.ts';

/** Tells the stat cache of each new folder, as soon as all its files are placed. */
export class FolderNews {
  readonly #statCache: StatCache;
  readonly #open = new Map<Placement, { stats: BigInt64Array; flags: Uint8Array; left: number }>();

  constructor(statCache: StatCache) {
    this.#statCache = statCache;
  }

  /** @param from index in the placement of the first file that the result is of. */
  add(placement: Placement, from: number, { stats, flags }: Pick<PlaceResult, 'stats' | 'flags'>): void {
    if (placement.temp !== undefined) return;
    const { names, digests } = placement.files;
    const all = this.#open.get(placement) ?? {
      stats: new BigInt64Array(names.length * STAT_COLUMNS),
      flags: new Uint8Array(names.length),
      left: names.length,
    };
    this.#open.set(placement, all);
    all.stats.set(stats, from * STAT_COLUMNS);
    all.flags.set(flags, from);
    all.left -= flags.length;
    if (all.left > 0) return;
    this.#open.delete(placement);
    const { dev, ino } = statSync(placement.folder, { bigint: true });
    const { tree } = placement;
    this.#statCache.remember({ dev, ino }, { names, stats: all.stats, hashes: digests.bytes, flags: all.flags, tree });
  }
}
