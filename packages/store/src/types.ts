import type { Artifact, Digest, ObjectFailure, RunKey, RunRecord, TreeEntry } from '@dag/model';
import type { Evidence } from './evidence.ts';
import type { Collector, Hold } from './in-use.ts';
import type { SharedIndex } from './pack/read.ts';
import type { PartialObject } from './partial.ts';
import type { Staging } from './staging.ts';

/** One object that an artifact is made of. */
export interface ArtifactObject {
  readonly digest: Digest;
  /** Bytes of the object itself; for a tree that is known only by name, undefined. */
  readonly size: number | undefined;
  readonly kind: 'tree' | 'file';
  /** Inside the artifact, `/`-separated; empty for the artifact itself. */
  readonly path: string;
}

/** Where an object is kept: a file of its own, or a range of a pack. Lengths in bytes. */
export type ObjectPlace =
  | { readonly kind: 'loose'; readonly file: string; readonly size: number }
  | { readonly kind: 'packed'; readonly pack: string; readonly offset: number; readonly size: number };

/** What is remembered of trees whose every object was found. */
export interface KnownTrees {
  /** Where a tree, and all inside, was found. */
  recall(tree: Digest): Evidence | undefined;
  remember(tree: Digest, evidence: Evidence): void;
}

/**
 * The content-addressed objects and run records of one cache folder. Safe for many processes and threads at once: final
 * names appear complete or not at all, and nothing is changed after that.
 * What a user can cause (a missing or damaged object, a full disk) is thrown as a FailureError.
 */
export interface Store {
  /** The cache folder, absolute. */
  readonly dir: string;
  /** Whether the object is there; a damaged one counts until it is read. */
  has(digest: Digest): boolean;
  /** Those that are not there, each once, in the order given. */
  missing(digests: Iterable<Digest>): Digest[];
  /** Whether every object of an artifact is there: its trees whole, its files as `has` has it. What is known need not be read. */
  isComplete(artifact: Artifact, known?: KnownTrees): boolean;
  /** Bytes of the object; undefined where it is not there. */
  size(digest: Digest): number | undefined;
  /** Where the object's bytes are, unverified; undefined where it is not there. */
  locate(digest: Digest): ObjectPlace | undefined;
  /**
   * The bytes, checked against the digest. Throws ObjectMissing, or ObjectDamaged after the bad bytes went to quarantine.
   * @param limit refuses (as damaged) what is larger, in bytes: for objects that can't honestly be large.
   */
  read(digest: Digest, limit?: number): Uint8Array;
  /** The entries of a tree, checked and decoded. Throws as `read` does; a tree that can't be decoded is ObjectDamaged. */
  readTree(digest: Digest): TreeEntry[];
  /**
   * Re-hashes one object in place. Damaged bytes go to quarantine.
   * @returns undefined when it is whole, else what is wrong.
   */
  check(digest: Digest): 'missing' | 'damaged' | undefined;
  /** Re-hashes all objects, or a random share of them. Damaged ones go to quarantine. */
  checkAll(options?: CheckOptions): Promise<CheckReport>;
  /** Moves the bad bytes of an object out of the way, so that nothing trusts or keeps them; says where they are now. */
  quarantine(digest: Digest): string | undefined;
  /**
   * Files that may hold an object all the same where it counts as missing: what is in quarantine under its name, packs in
   * quarantine, and packs that can't be read.
   */
  suspects(digest: Digest): string[];
  /** Every object in the cache; one that is there twice comes twice. */
  list(): Iterable<{ readonly digest: Digest; readonly size: number }>;
  /** Stores bytes; durable on return. */
  putBytes(bytes: Uint8Array): Digest;
  /** Takes a whole file that lies in `tmpFolder()`: checked by hashing, moved in, durable on return. Throws ObjectDamaged. */
  importFile(tempPath: string, expected: Digest): void;
  /** Begins a large object that comes in parts, or goes on with what an earlier process left of it. @param size bytes. */
  openPartial(digest: Digest, size: number): Promise<PartialObject>;
  /** Many objects with one fsync for all. */
  writeBatch(): StoreBatch;
  /** For threads: the indexes of packs read so far, to be opened with there; a million objects' take 44 MB. */
  shareIndexes(): SharedIndex[];
  /** For threads: stages one thread's part of a batch, which `adopt` then takes over. */
  openStaging(): Staging;
  /**
   * The objects of an artifact, each digest once: trees before what is inside. Where a tree is missing or damaged, it is
   * still named, its inside can't be, and `onMissingTree` hears of it.
   */
  objectsOf(artifact: Artifact, onMissingTree?: (failure: ObjectFailure) => void): Iterable<ArtifactObject>;
  readonly runs: RunStore;
  /** Says to gc that something is about to be named that the cache has, or gets: see `Hold`. */
  hold(): Hold;
  /** Announces a gc to all who use the cache. Throws `locked` where another is at work. */
  announceGc(): Collector;
  /**
   * Finds what can go. Changes nothing.
   * @param live what is to stay.
   * @param since what was written at this time (ctime in ns) or later stays too.
   */
  planGc(live: ReadonlySet<Digest>, since: bigint): GcPlan;
  /** Removes what a plan names; what changed since it was made stays. Call it only while the gc is announced. */
  applyGc(plan: GcPlan, signal?: AbortSignal): Promise<void>;
  /** An existing folder on the cache's file system for half-made files; name them with `tempName()`. */
  tmpFolder(): string;
  /** Removes what processes that are dead by now left in `tmp/`, and in `partial/` a week ago; cheap when there is nothing. */
  sweep(): void;
  /** Closes files held open. The store can be used on; it opens them again. */
  close(): void;
}

/** An object to be hashed: a range of a pack, or a file of its own. */
export interface CheckedObject {
  readonly digest: Digest;
  readonly file?: string;
  readonly offset: number;
  readonly size: number;
}

/** Some objects to be hashed, as plain data that can cross threads; those of a pack in the order in which they stand in it. */
export interface CheckPart {
  /** The pack; undefined for loose ones. */
  readonly file: string | undefined;
  readonly objects: readonly CheckedObject[];
}

export interface CheckOptions {
  /**
   * Does `checkPart` on each part, in whatever thread, and tells what came of it. Default: here, one after the other.
   */
  readonly run?: (
    parts: readonly CheckPart[],
    done: (part: CheckPart, bad: readonly number[]) => void,
    signal: AbortSignal | undefined,
  ) => Promise<void>;
  /** The share of objects to check, from 0 to 1; all by default. */
  readonly sample?: number;
  /** Where the choice comes from: numbers from 0 (with) to 1 (without). */
  readonly random?: () => number;
  readonly onProgress?: (done: { readonly objects: number; readonly bytes: number }) => void;
  readonly signal?: AbortSignal;
}

export interface DamagedObject {
  readonly digest: Digest;
  /** Bytes that were there. */
  readonly size: number;
  readonly reason: string;
  /** Where the bad bytes are now. */
  readonly quarantined: string;
}

/** What a check of the cache found. Lengths in bytes. */
export interface CheckReport {
  readonly objects: number;
  readonly bytes: number;
  readonly damaged: readonly DamagedObject[];
  /** Packs whose list of objects was damaged, where they are now: nobody knows what was in them. */
  readonly packs: readonly string[];
}

/** What a gc is to do. Lengths in bytes. */
export interface GcPlan {
  /** What goes, each digest once. */
  readonly dead: ReadonlyMap<Digest, number>;
  readonly loose: readonly { readonly digest: Digest; readonly inode: bigint }[];
  /** Packs that go; those with `live` are written anew first, with these objects only. */
  readonly packs: readonly { readonly path: string; readonly inode: bigint; readonly live: readonly Digest[] }[];
  /** Sum of what goes. */
  readonly bytes: number;
  readonly kept: { readonly objects: number; readonly bytes: number };
}

/** Objects on their way in. Nothing is visible before `commit`; `put` of what is there already costs a look-up. */
export interface StoreBatch {
  /** Whether the object whose hash stands in `hash` from `at` on need not be put: it is in the cache or in this batch. */
  hasHash(hash: Uint8Array, at: number): boolean;
  /** Whether what was found once need not be put, nor looked up: it is still there. */
  holds(evidence: Evidence): boolean;
  /** Where all is that was asked for or put. Complete once it is committed. */
  readonly found: Evidence;
  /** Adds an object; `digest`, where given, must be that of the bytes. The bytes are copied or written before it returns. */
  put(bytes: Uint8Array, digest?: Digest): Digest;
  /** Takes over a file on the cache's file system, under a name of the caller's own, whose digest the caller has verified. */
  putTemp(tempPath: string, digest: Digest): void;
  /** Takes over what another thread staged. */
  adopt(staged: Staged): void;
  /** Adds a run record, which becomes visible after all objects of the batch. */
  putRecord(record: RunRecord): void;
  /** Makes all of it visible; durable when the promise resolves. The batch is then done with. */
  commit(links?: ObjectLinks): Promise<void>;
  /** Drops all of it. */
  discard(): void;
}

/** Files of the workspace that are to be objects themselves: each gets the object's name as a second one. */
export interface ObjectLinks {
  /** Absolute. */
  readonly files: readonly string[];
  /** Of each file. */
  readonly digests: readonly Digest[];
  /** Makes the links, once all content is on disk; the folders are there. */
  link(): Promise<void>;
}

/** A half-made file that holds one object. */
export interface StagedObject {
  readonly temp: string;
  readonly digest: Digest;
  /** Whether its content is on disk already. */
  readonly isSynced: boolean;
}

/** Half-made files of a batch, ready to be published: plain data that can cross threads. */
export interface Staged {
  readonly loose: readonly StagedObject[];
  readonly packs: readonly { readonly temp: string; readonly name: string }[];
  /** Where the cache has what was not staged. */
  readonly found: Evidence;
}

/** The run cache: records by run key; several a key where runs gave different results. */
export interface RunStore {
  /** Durable when it resolves, with few syncs for all of them; the same record twice is one. */
  putAll(records: Iterable<RunRecord>): Promise<void>;
  /** Newest first; damaged ones are passed over. */
  find(key: RunKey): RunRecord[];
  list(): Iterable<RunRecord>;
  /** Every file of the run cache, also those that hold no record of their key. */
  files(): Iterable<RunFile>;
  /** Removes a file that `files` named. */
  remove(file: string): void;
}

export interface RunFile {
  readonly file: string;
  /** undefined for a damaged one, or one of a later version. */
  readonly record: RunRecord | undefined;
  /** Whether it is whole, of a version that is not known here. */
  readonly isLater: boolean;
  /** In bytes. */
  readonly size: number;
  /** ctime in ns. */
  readonly changed: bigint;
}
