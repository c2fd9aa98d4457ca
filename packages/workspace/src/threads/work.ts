import { lstatSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import type { Digest } from '@dag/model';
import {
  checkPart,
  type FileStats,
  ioFailure,
  isErrno,
  isPast,
  layoutOf,
  noEvidence,
  ObjectDamaged,
  ObjectMissing,
  openStatCache,
  openStore,
  removeFile,
  type Staging,
  type StatCache,
  type Store,
  tempName,
  withIo,
} from '@dag/store';
import { FileFacts } from '../observe/facts.ts';
import { differingFiles } from './compare.ts';
import { importLarge } from './import-large.ts';
import { Strategies } from './link.ts';
import { linkObjects } from './link-object.ts';
import { placeFile } from './place-file.ts';
import { protectFiles } from './protect.ts';
import type { Job, JobResult, PlaceResult, ScanResult, ThreadSetup } from './protocol.ts';
import { readVerified } from './read-file.ts';

type JobOf<Kind extends Job['kind']> = Extract<Job, { readonly kind: Kind }>;

/** A file that was placed under a temp name and waits for its rename and record. */
interface Unsettled {
  readonly temp: string;
  readonly to: string;
  readonly digest: Digest;
  readonly stats: FileStats | undefined;
  /** mtime (µs) of what it may replace, NaN for nothing; undefined for anything. */
  readonly replaces: number | undefined;
}

/** All that one thread does with files, synchronously. Each thread has its own, with its own view of store and stat cache. */
export class ThreadWork {
  readonly #setup: ThreadSetup;
  readonly #store: Store;
  readonly statCache: StatCache;
  readonly #stagings = new Map<number, Staging>();
  readonly #unsettled = new Map<number, Unsettled[]>();

  constructor(setup: ThreadSetup, statCache = openStatCache(setup.statCache)) {
    this.#setup = setup;
    this.#store = openStore({ dir: setup.storeDir, indexes: setup.indexes ?? [] });
    this.statCache = statCache;
  }

  /** At once, but for what waits for the disk. */
  do(job: Job): JobResult | Promise<JobResult> {
    switch (job.kind) {
      case 'scan':
        return this.#scan(job);
      case 'compare':
        return { kind: 'compare', differing: job.parts.map(differingFiles) };
      case 'place':
        return this.#place(job);
      case 'settle':
        return this.#settle(job);
      case 'link':
        return linkObjects(job, this.#setup, this.#store);
      case 'protect':
        return { kind: 'done', ...protectFiles(job, this.#setup, { store: this.#store, statCache: this.statCache }) };
      case 'check':
        return { kind: 'check', bad: checkPart(job.part) };
      case 'finish':
        return this.#finish(job);
      case 'discard':
        return this.#discard(job);
    }
  }

  close(): void {
    this.statCache.close();
    this.#store.close();
  }

  #scan(job: JobOf<'scan'>): ScanResult {
    const staging = job.store ? this.#staging(job.op) : undefined;
    const facts = new FileFacts(job.names.length);
    let path = '';
    let copiedBytes = 0;
    const onCopy = (bytes: number): void => {
      if (bytes > COPY_WORTH_TELLING) copiedBytes += bytes;
    };
    const toLink: number[] = [];
    let isToLink = false;
    const onLarge = (linked: boolean): void => {
      isToLink = linked;
    };
    const storing =
      staging === undefined ? {} : this.#storing(staging, () => path, { follow: job.follow, onCopy, onLarge });
    const trust = (known: Digest): boolean => staging === undefined || staging.has(known);
    const told = this.statCache.isOpen ? { ...this.statCache, find: NO_STAT_CACHE.find } : NO_STAT_CACHE;
    const statCache = job.statCache ? this.statCache : told;
    const options = { follow: job.follow, together: job.together, statCache, trust, ...storing };
    for (const [i, name] of job.names.entries()) {
      isToLink = false;
      path = `${job.folder}/${name}`;
      const shown = job.shown === '' ? name : `${job.shown}/${name}`;
      try {
        const { digest, stats, settled } = readVerified(path, shown, options);
        facts.set(i, stats, settled);
        facts.setDigest(i, digest);
        if (!isToLink) continue;
        staging?.expect(digest);
        toLink.push(i);
      } catch (error) {
        throw ioFailure(error, isErrno(error, 'ENOSPC', 'EDQUOT') ? 'store' : 'read', shown);
      }
    }
    const { stats, hashes, flags } = facts;
    return { kind: 'scan', stats, hashes, flags, copiedBytes, toLink };
  }

  #storing(
    staging: Staging,
    path: () => string,
    {
      onLarge,
      ...rest
    }: Pick<Parameters<typeof importLarge>[4], 'follow' | 'onCopy'> & {
      /** Hears of each that was read whether it is to become the object by a link. */
      readonly onLarge: (isToLink: boolean) => void;
    },
  ): Pick<Parameters<typeof readVerified>[2], 'onSmall' | 'large'> {
    const { tmp } = layoutOf(this.#setup.storeDir);
    const { link } = this.#setup;
    const cacheDevice = lstatSync(tmp, { bigint: true }).dev;
    const how = { tmp, link, strategies: new Strategies(link), cacheDevice, ...rest };
    return {
      onSmall: (bytes, digest) => void withIo('write into the cache', tmp, () => staging.put(bytes, digest)),
      large: (fd, stats) => {
        const { digest, toLink } = importLarge(path(), fd, stats, staging, how);
        onLarge(toLink);
        return digest;
      },
    };
  }

  #place(job: JobOf<'place'>): PlaceResult {
    const failed: PlaceResult['failed'][number][] = [];
    const unsettled = this.#unsettled.get(job.op) ?? [];
    this.#unsettled.set(job.op, unsettled);
    let files = 0;
    let bytes = 0;
    let copiedBytes = 0;
    const facts = new FileFacts(job.temp === undefined ? job.names.length : 0);
    const wantsLink = this.#setup.link[0] !== 'copy';
    const strategies = new Strategies(this.#setup.link);
    for (const [i, name] of job.names.entries()) {
      const digest = `blake3:${job.digests.slice(i * 64, i * 64 + 64)}` as Digest;
      const final = `${job.folder}/${name}`;
      const shown = job.shown === '' ? name : `${job.shown}/${name}`;
      const temp = job.temp === undefined ? undefined : join(job.temp, tempName('place'));
      try {
        const placed = placeFile(temp ?? final, digest, job.sizes[i] ?? -1, job.executable[i] === true, {
          store: this.#store,
          statCache: this.statCache,
          strategies,
        });
        if (temp === undefined) {
          if (placed.stats !== undefined && isPast(placed.stats, Date.now())) {
            facts.set(i, placed.stats, true);
            // A link shares its inode with others, and the next one made changes its ctime.
            if (placed.strategy === 'hardlink') this.statCache.record(essential(placed.stats), digest);
          }
        } else {
          const replaces = job.force ? undefined : (job.replaces[i] ?? Number.NaN);
          const stats = placed.stats === undefined ? undefined : essential(placed.stats);
          unsettled.push({ temp, to: final, digest, stats, replaces });
        }
        files += 1;
        bytes += placed.bytes;
        if (wantsLink && placed.strategy === 'copy' && placed.bytes > COPY_WORTH_TELLING) copiedBytes += placed.bytes;
      } catch (error) {
        if (error instanceof ObjectMissing || error instanceof ObjectDamaged) {
          const reason = error.failure.code === 'objects-failed' ? (error.failure.failed[0]?.reason ?? '') : '';
          failed.push({ path: shown, digest, reason, missing: error instanceof ObjectMissing });
        } else {
          throw ioFailure(error, 'write', shown);
        }
      }
    }
    const { stats, flags } = facts;
    return { kind: 'place', files, bytes, copiedBytes, failed, stats, flags };
  }

  #settle(job: JobOf<'settle'>): JobResult {
    const skipped: string[] = [];
    for (const { temp, to, digest, stats, replaces } of this.#unsettled.get(job.op) ?? []) {
      try {
        if (!renameOver(temp, to, replaces)) {
          skipped.push(to);
          continue;
        }
        if (stats === undefined) continue;
        const now = lstatSync(to, { bigint: true });
        if (
          isPast(now, Date.now()) &&
          now.ino === stats.ino &&
          now.size === stats.size &&
          now.mtimeNs === stats.mtimeNs
        ) {
          this.statCache.record(now, digest);
        }
      } catch (error) {
        throw ioFailure(error, 'write', to);
      }
    }
    this.#unsettled.delete(job.op);
    this.statCache.flush();
    return { kind: 'done', skipped, mended: [] };
  }

  async #finish(job: JobOf<'finish'>): Promise<JobResult> {
    const staging = this.#stagings.get(job.op);
    this.#stagings.delete(job.op);
    this.statCache.flush();
    try {
      await staging?.settled();
      return { kind: 'finish', staged: staging?.finish() ?? { loose: [], packs: [], found: noEvidence() } };
    } catch (error) {
      staging?.discard();
      throw ioFailure(error, 'write into the cache', this.#setup.storeDir);
    }
  }

  #discard(job: JobOf<'discard'>): JobResult {
    this.#stagings.get(job.op)?.discard();
    this.#stagings.delete(job.op);
    for (const { temp } of this.#unsettled.get(job.op) ?? []) removeFile(temp);
    this.#unsettled.delete(job.op);
    this.statCache.flush();
    return { kind: 'done', skipped: [], mended: [] };
  }

  #staging(op: number): Staging {
    let staging = this.#stagings.get(op);
    if (staging === undefined) {
      staging = this.#store.openStaging();
      this.#stagings.set(op, staging);
    }
    return staging;
  }
}

const NO_STAT_CACHE = openStatCache(undefined);

/** From this size on (bytes) a copy that a link would have spared is worth a word to the user. */
const COPY_WORTH_TELLING = 64 * 1024 * 1024;

/** What the stat cache needs of a file's stats, which are much larger. */
function essential({ dev, ino, size, mtimeNs, ctimeNs }: FileStats): FileStats {
  return { dev, ino, size, mtimeNs, ctimeNs };
}

/** @returns false, with the temp file removed, when something else stands there than what may be replaced. */
function renameOver(temp: string, to: string, replaces: number | undefined): boolean {
  if (replaces === undefined || !isTouched(to, replaces)) {
    try {
      renameSync(temp, to);
      if (lstatSync(temp, { throwIfNoEntry: false }) !== undefined) removeFile(temp);
      return true;
    } catch (error) {
      if (!isErrno(error, 'EISDIR', 'ENOTEMPTY', 'EEXIST')) throw error;
    }
  }
  removeFile(temp);
  return false;
}

/** Times in µs since 1970; NaN for nothing. */
function isTouched(path: string, mtime: number): boolean {
  const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  if (stats === undefined) return false;
  if (Number.isNaN(mtime)) return true;
  return !stats.isSymbolicLink() && Number(stats.mtimeNs / 1000n) !== mtime;
}
