import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Artifact, type Digest, decodeTree, digestHex, type ObjectFailure, type TreeEntry } from '@dag/model';
import { type LookUp, openBatch, openStaging } from './batch.ts';
import { checkAll, looseObjects, quarantineLoose } from './check.ts';
import { isComplete } from './complete.ts';
import { fsyncFile, fsyncFolder, listNames, makeFolder, sweepTemps, writeNewFile } from './durable.ts';
import { type Evidence, evidenceCheck } from './evidence.ts';
import { ioFailure, isErrno, ObjectDamaged, ObjectMissing, withIo } from './failure.ts';
import { applyGc } from './gc/apply.ts';
import { planGc } from './gc/plan.ts';
import { hashBytes, hashFile } from './hash.ts';
import { digestAt, hashOf } from './hash-set.ts';
import { announceGc, type Collector, type Hold, isGcAtWork, WriterMark } from './in-use.ts';
import { type Layout, layoutOf, loosePath, OBJECT_MODE } from './layout.ts';
import { LooseSnapshot, looseSize, publishLoose } from './loose.ts';
import { tempName } from './owner.ts';
import type { SharedIndex } from './pack/read.ts';
import { salvagePack } from './pack/salvage.ts';
import { PackSet } from './pack/set.ts';
import { openPartial, type PartialObject, sweepPartials } from './partial.ts';
import { openRuns } from './runs.ts';
import type { Presence, Staging } from './staging.ts';
import { Syncs } from './sync.ts';
import type {
  ArtifactObject,
  CheckOptions,
  CheckReport,
  GcPlan,
  KnownTrees,
  ObjectPlace,
  RunStore,
  Store,
  StoreBatch,
} from './types.ts';
import { objectsOf } from './walk.ts';

/** Largest tree that is read, in bytes: a folder of some ten million names. */
const TREE_LIMIT = 2 ** 30;

/**
 * Opens a cache folder. Cheap: nothing is read or made before it is needed.
 * @param options.indexes what `Store.shareIndexes` of another thread gave: those packs' indexes are not read again.
 */
export function openStore(options: { readonly dir: string; readonly indexes?: readonly SharedIndex[] }): Store {
  return new FileStore(options.dir, options.indexes);
}

class FileStore implements Store {
  readonly dir: string;
  readonly runs: RunStore;
  readonly #layout: Layout;
  readonly #packs: PackSet;
  /** Objects whose packed bytes were found bad and could not be taken out of their pack. */
  readonly #bad = new Set<Digest>();
  readonly #mark: WriterMark;
  readonly #syncs = new Syncs();
  readonly #lookUp: LookUp = {
    isPacked: (hash, at, found) => this.#isPacked(hash, at, found),
    isWhole: (digest) => this.#isWhole(digest),
  };

  constructor(dir: string, indexes?: readonly SharedIndex[]) {
    this.dir = dir;
    this.#layout = layoutOf(dir);
    this.#packs = new PackSet(this.#layout, indexes);
    this.#mark = new WriterMark(this.#layout.users);
    this.runs = openRuns(this.#layout, this.#syncs);
  }

  has(digest: Digest): boolean {
    return this.locate(digest) !== undefined;
  }

  missing(digests: Iterable<Digest>): Digest[] {
    this.#packs.refresh();
    const gone = new Set<Digest>();
    for (const digest of digests) {
      if (gone.has(digest) || this.#isPacked(hashOf(digest), 0)) continue;
      if (looseSize(this.#layout, digest) === undefined) gone.add(digest);
    }
    return [...gone];
  }

  isComplete(artifact: Artifact, known?: KnownTrees): boolean {
    const loose = new LooseSnapshot(this.#layout);
    let isFresh = false;
    const present: Presence = (hash, at, found) => {
      if (!isFresh) this.#packs.refresh();
      isFresh = true;
      return this.#isPacked(hash, at, found) || loose.hasHash(hash, at, found);
    };
    const check = evidenceCheck(this.#layout);
    const holds = (evidence: Evidence): boolean => this.#bad.size === 0 && check(evidence);
    return isComplete(this, artifact, present, known && { ...known, holds });
  }

  size(digest: Digest): number | undefined {
    return this.locate(digest)?.size;
  }

  locate(digest: Digest): ObjectPlace | undefined {
    const known = this.#packed(digest, 'known');
    if (known !== undefined) return known;
    const size = looseSize(this.#layout, digest);
    if (size !== undefined) return { kind: 'loose', file: loosePath(this.#layout, digest), size };
    return this.#packed(digest, 'find');
  }

  read(digest: Digest, limit?: number): Uint8Array {
    const packed = this.#readPacked(digest, limit);
    if (packed instanceof Uint8Array) return packed;
    const loose = this.#readLoose(digest, limit);
    if (loose instanceof Uint8Array) return loose;
    const problem = loose ?? packed;
    if (problem === undefined) throw new ObjectMissing(digest);
    throw new ObjectDamaged(digest, problem, this.quarantine(digest));
  }

  readTree(digest: Digest): TreeEntry[] {
    const entries = decodeTree(this.read(digest, TREE_LIMIT));
    if (!entries.ok) throw new ObjectDamaged(digest, `no folder listing: ${entries.error}`, undefined);
    return entries.value;
  }

  check(digest: Digest): 'missing' | 'damaged' | undefined {
    const place = this.locate(digest);
    if (place === undefined) return 'missing';
    if (place.kind === 'loose') {
      const found = hashOrNothing(place.file);
      if (found === undefined) return 'missing';
      if (found === digest) return undefined;
      this.quarantine(digest);
      return 'damaged';
    }
    try {
      this.read(digest);
      return undefined;
    } catch (error) {
      if (error instanceof ObjectDamaged) return 'damaged';
      throw error;
    }
  }

  checkAll(options: CheckOptions = {}): Promise<CheckReport> {
    return checkAll(this.#layout, this.#packs, options);
  }

  quarantine(digest: Digest): string | undefined {
    let moved = existsSync(loosePath(this.#layout, digest)) ? quarantineLoose(this.#layout, digest) : undefined;
    const packed = this.#packs.known(digest);
    if (packed === undefined || this.#bad.has(digest)) return moved;
    const bytes = this.#packs.read(packed.reader, packed.range);
    if (bytes === undefined || hashBytes(bytes) === digest) return moved;
    this.#bad.add(digest);
    try {
      // Where that can't be, its other objects can be read as before.
      ({ moved } = salvagePack(this.#layout, packed.reader));
      this.#packs.drop(packed.reader);
      this.#bad.delete(digest);
    } catch (error) {
      if (!isErrno(error, 'ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM', 'ENOENT')) throw error;
    }
    return moved;
  }

  suspects(digest: Digest): string[] {
    const { quarantine } = this.#layout;
    const isSuspect = (name: string): boolean => name === digestHex(digest) || name.endsWith('.pack');
    const aside = withIo('list', quarantine, () => listNames(quarantine).filter(isSuspect));
    return [...aside.map((name) => join(quarantine, name)), ...this.#packs.unreadable()];
  }

  *list(): Iterable<{ readonly digest: Digest; readonly size: number }> {
    for (const object of this.#packs.list()) if (!this.#bad.has(object.digest)) yield object;
    yield* looseObjects(this.#layout);
  }

  putBytes(bytes: Uint8Array): Digest {
    const digest = hashBytes(bytes);
    return this.#writing('write into the cache', this.dir, () => {
      if (this.#isWhole(digest) && !isGcAtWork(this.#layout.users)) return digest;
      const temp = join(this.tmpFolder(), tempName('object'));
      writeNewFile(temp, bytes, OBJECT_MODE);
      for (const folder of publishLoose(this.#layout, temp, digest)) fsyncFolder(folder);
      return digest;
    });
  }

  importFile(tempPath: string, expected: Digest): void {
    this.#writing('take into the cache', tempPath, () => {
      const { digest, size } = hashFile(tempPath);
      if (digest !== expected)
        throw new ObjectDamaged(expected, `what came has ${size} bytes and another digest`, undefined);
      chmodSync(tempPath, OBJECT_MODE);
      fsyncFile(tempPath);
      for (const folder of publishLoose(this.#layout, tempPath, expected)) fsyncFolder(folder);
    });
  }

  openPartial(digest: Digest, size: number): Promise<PartialObject> {
    return openPartial(this.#layout, digest, size);
  }

  writeBatch(): StoreBatch {
    return openBatch(this.#layout, this.#lookUp, { mark: this.#mark, syncs: this.#syncs });
  }

  openStaging(): Staging {
    return openStaging(this.#layout, this.#lookUp);
  }

  shareIndexes(): SharedIndex[] {
    return this.#packs.share();
  }

  objectsOf(artifact: Artifact, onMissingTree?: (failure: ObjectFailure) => void): Iterable<ArtifactObject> {
    return objectsOf(this, artifact, onMissingTree);
  }

  tmpFolder(): string {
    withIo('make the folder', this.#layout.tmp, () => makeFolder(this.#layout.tmp));
    return this.#layout.tmp;
  }

  sweep(): void {
    for (const folder of [this.#layout.tmp, this.#layout.users]) {
      withIo('sweep', folder, () => sweepTemps(folder, Date.now()));
    }
    withIo('sweep', this.#layout.partial, () => sweepPartials(this.#layout, Date.now()));
  }

  hold(): Hold {
    return withIo('write into the cache', this.dir, () => this.#mark.hold());
  }

  announceGc(): Collector {
    return withIo('write into', this.#layout.users, () => announceGc(this.#layout.users));
  }

  planGc(live: ReadonlySet<Digest>, since: bigint): GcPlan {
    return planGc(this.#layout, this.#packs, live, since);
  }

  async applyGc(plan: GcPlan, signal?: AbortSignal): Promise<void> {
    await applyGc(this.#layout, this.#packs, plan, signal);
  }

  close(): void {
    this.#mark.close();
    this.#packs.close();
  }

  #writing<T>(doing: string, path: string, work: () => T): T {
    return withIo(doing, path, () => {
      this.#mark.begin();
      try {
        return work();
      } finally {
        this.#mark.end();
      }
    });
  }

  #isWhole(digest: Digest): boolean {
    try {
      this.read(digest);
      return true;
    } catch (error) {
      if (error instanceof ObjectMissing || error instanceof ObjectDamaged) return false;
      throw error;
    }
  }

  #isPacked(hash: Uint8Array, at: number, found?: Evidence): boolean {
    return this.#packs.hasHash(hash, at, found) && (this.#bad.size === 0 || !this.#bad.has(digestAt(hash, at)));
  }

  #packed(digest: Digest, how: 'known' | 'find'): ObjectPlace | undefined {
    if (this.#bad.has(digest)) return undefined;
    const found = this.#packs[how](digest);
    if (found === undefined) return undefined;
    return { kind: 'packed', pack: found.reader.path, offset: found.range.offset, size: found.range.length };
  }

  /** The bytes from a pack; a problem in words when they are bad; undefined when no pack has them. */
  #readPacked(digest: Digest, limit: number | undefined): Uint8Array | string | undefined {
    if (this.#bad.has(digest)) return undefined;
    for (let attempt = 0; attempt < 2; attempt++) {
      const found =
        this.#packs.known(digest) ??
        (looseSize(this.#layout, digest) === undefined ? this.#packs.find(digest) : undefined);
      if (found === undefined) return undefined;
      if (limit !== undefined && found.range.length > limit) return 'larger than such an object can be';
      const bytes = withIo('read the pack', found.reader.path, () => this.#packs.read(found.reader, found.range));
      if (bytes !== undefined) return hashBytes(bytes) === digest ? bytes : 'its content has another digest';
    }
    return undefined;
  }

  #readLoose(digest: Digest, limit: number | undefined): Uint8Array | string | undefined {
    const path = loosePath(this.#layout, digest);
    const size = looseSize(this.#layout, digest);
    if (size === undefined) return undefined;
    if (limit !== undefined && size > limit) return 'larger than such an object can be';
    try {
      const bytes = readFileSync(path);
      return hashBytes(bytes) === digest ? bytes : 'its content has another digest';
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined;
      return withIo('read the object', path, () => {
        throw error;
      });
    }
  }
}

/** undefined where the file is gone by now. */
function hashOrNothing(file: string): Digest | undefined {
  try {
    return hashFile(file).digest;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw ioFailure(error, 'read the object', file);
  }
}
