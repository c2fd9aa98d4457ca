import { join } from 'node:path';
import type { Digest } from '@dag/model';
import { removeFile, writeNewFile } from './durable.ts';
import { addEvidence, type Evidence, noEvidence } from './evidence.ts';
import { hashBytes } from './hash.ts';
import { HashSet, hashOf } from './hash-set.ts';
import type { LargeFile } from './large-file.ts';
import { OBJECT_MODE, PACK_COUNT, PACK_FROM, PACK_SIZE, SMALL_LIMIT } from './layout.ts';
import { tempName } from './owner.ts';
import { PackMemory, PackWriter } from './pack/write.ts';
import type { Staged, StagedObject } from './types.ts';

/** Whether the cache has the object whose hash stands in some bytes from `at` on; where, goes into `found`. */
export type Presence = (hash: Uint8Array, at: number, found?: Evidence) => boolean;

/**
 * Writes objects under temp names in one thread: small ones into packs, large ones into files of their own, nothing synced
 * and nothing visible. Several threads each stage their part of a batch, and one publishes it all.
 */
export class Staging {
  readonly #tmp: string;
  readonly #present: Presence;
  readonly #seen = new HashSet();
  /** Where the cache has what was asked for. */
  readonly found = noEvidence();
  #few: { bytes: Uint8Array; digest: Digest }[] | undefined = [];
  #pack: PackWriter | undefined;
  #memory: PackMemory | undefined;
  #packs: { temp: string; name: string }[] = [];
  #loose: StagedObject[] = [];
  /** Large files on their way to the disk. */
  #syncing: Promise<void>[] = [];

  readonly #isWhole: (digest: Digest) => boolean;

  /**
   * @param tmp an existing folder on the cache's file system.
   * @param present whether the cache has an object already.
   * @param isWhole whether such an object can be read, and is what its name says; asked where its content is at hand to be
   * stored anew.
   */
  constructor(tmp: string, present: Presence, isWhole: (digest: Digest) => boolean) {
    this.#tmp = tmp;
    this.#present = present;
    this.#isWhole = isWhole;
  }

  /** Whether the object is in the cache or in this staging. */
  has(digest: Digest): boolean {
    return this.hasHash(hashOf(digest), 0);
  }

  /** As `has`, for the hash that stands in `hash` from `at` on. */
  hasHash(hash: Uint8Array, at: number): boolean {
    return this.#seen.has(hash, at) || this.#present(hash, at, this.found);
  }

  put(bytes: Uint8Array, digest: Digest = hashBytes(bytes)): Digest {
    if (!this.#isNew(digest, bytes.length <= SMALL_LIMIT)) return digest;
    if (bytes.length > SMALL_LIMIT) this.#putLoose(bytes, digest);
    else this.#putSmall(bytes, digest);
    return digest;
  }

  /** Takes over a temp file whose digest the caller has verified. */
  putTemp(temp: string, digest: Digest): void {
    this.#take({ temp, digest, isSynced: false }, this.#isNew(digest, false));
  }

  /** Takes over what was written whole; the caller has its digest. `settled` waits until it is on disk. */
  putLarge(file: LargeFile, digest: Digest): void {
    if (!this.#isNew(digest, false)) {
      file.discard();
      return;
    }
    const syncing = file.close();
    if (syncing !== undefined) this.#syncing.push(syncing);
    this.#loose.push({ temp: file.path, digest, isSynced: syncing !== undefined });
  }

  /** Says that the object is to come by a link, which the caller makes: see `ObjectLinks`. */
  expect(digest: Digest): void {
    this.#seen.add(hashOf(digest), 0);
  }

  /** Waits for what goes to the disk already. Rejects where that failed: nothing of this staging may be published then. */
  async settled(): Promise<void> {
    const results = await Promise.allSettled(this.#syncing);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  /** Takes over what another staging holds. */
  adopt(staged: Staged): void {
    for (const object of staged.loose) this.#take(object, this.#seen.add(hashOf(object.digest), 0));
    this.#packs.push(...staged.packs);
    addEvidence(this.found, staged.found);
  }

  /** Closes what is open and hands over all that was staged; the staging is empty then. `settled` comes before. */
  finish(): Staged {
    for (const { bytes, digest } of this.#few ?? []) this.#putLoose(bytes, digest);
    this.#few = [];
    this.#closePack();
    const staged = { loose: this.#loose, packs: this.#packs, found: this.found };
    this.#loose = [];
    this.#packs = [];
    this.#syncing = [];
    this.#seen.clear();
    return staged;
  }

  /** Removes all that was staged. */
  discard(): void {
    this.#pack?.discard();
    this.#pack = undefined;
    this.#few = [];
    dropStaged({ loose: this.#loose, packs: this.#packs, found: this.found });
    this.#loose = [];
    this.#packs = [];
    this.#syncing = [];
    this.#seen.clear();
  }

  #isNew(digest: Digest, isSmall: boolean): boolean {
    const hash = hashOf(digest);
    if (this.#seen.has(hash, 0)) return false;
    // To read it costs less than it did to read what is to be stored.
    if (this.#present(hash, 0, this.found) && (!isSmall || this.#isWhole(digest))) return false;
    return this.#seen.add(hash, 0);
  }

  #take(object: StagedObject, isNew: boolean): void {
    if (isNew) this.#loose.push(object);
    else removeFile(object.temp);
  }

  #putSmall(bytes: Uint8Array, digest: Digest): void {
    if (this.#few !== undefined) {
      this.#few.push({ bytes: Uint8Array.from(bytes), digest });
      if (this.#few.length < PACK_FROM) return;
      const few = this.#few;
      this.#few = undefined;
      for (const item of few) this.#addToPack(item.bytes, item.digest);
      return;
    }
    this.#addToPack(bytes, digest);
  }

  #addToPack(bytes: Uint8Array, digest: Digest): void {
    this.#memory ??= new PackMemory();
    this.#pack ??= new PackWriter(this.#tmp, this.#memory);
    this.#pack.add(bytes, digest);
    if (this.#pack.size >= PACK_SIZE || this.#pack.count >= PACK_COUNT) this.#closePack();
  }

  #closePack(): void {
    const pack = this.#pack;
    if (pack === undefined) return;
    this.#pack = undefined;
    this.#packs.push({ temp: pack.temp, name: pack.close() });
  }

  #putLoose(bytes: Uint8Array, digest: Digest): void {
    const temp = join(this.#tmp, tempName('object'));
    writeNewFile(temp, bytes, OBJECT_MODE, false);
    this.#loose.push({ temp, digest, isSynced: false });
  }
}

/** Removes staged files that are not to be published. */
export function dropStaged(staged: Staged): void {
  for (const { temp } of [...staged.loose, ...staged.packs]) removeFile(temp);
}
