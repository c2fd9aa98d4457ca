import { renameSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Digest } from '@dag/model';
import { listNames, makeFolder } from '../durable.ts';
import type { Evidence } from '../evidence.ts';
import { ioFailure, isErrno } from '../failure.ts';
import { hashOf } from '../hash-set.ts';
import type { Layout } from '../layout.ts';
import type { Range } from './format.ts';
import { PackReader, type SharedIndex } from './read.ts';
import { type PackTable, packTable } from './table.ts';

/** Pack files kept open at once, at most; a process may have some 1,024 files open. */
const OPEN_LIMIT = 64;
/** A folder's time is believed to tell of changes when it is at least so much older than the listing (coarse clocks). */
const CLOCK_GRAIN_MS = 2000;

/**
 * All packs of a cache. Its list is taken at the first look-up and again when a digest is not found, since other processes
 * add packs; what a batch would look up often is asked with `known`, which never lists again.
 */
export class PackSet {
  readonly #layout: Layout;
  readonly #readers = new Map<string, PackReader>();
  /** Of `#readers`; undefined when they have changed since. */
  #table: PackTable | undefined;
  readonly #ignored = new Set<string>();
  /** Where packs are now whose index was damaged. */
  readonly quarantined: string[] = [];
  #listed = false;
  /** Time of the folder that the list stands for; undefined when it was too fresh to tell. */
  #folderTime: number | undefined;
  #open = 0;
  readonly #shared: ReadonlyMap<string, SharedIndex>;

  /** @param shared indexes that need not be read again. */
  constructor(layout: Layout, shared: readonly SharedIndex[] = []) {
    this.#layout = layout;
    this.#shared = new Map(shared.map((index) => [index.name, index]));
  }

  /** The indexes that were read so far. */
  share(): SharedIndex[] {
    return [...this.#readers.values()].map((reader) => reader.share());
  }

  /** Where an object is, in the packs as they are now. */
  find(digest: Digest): { reader: PackReader; range: Range } | undefined {
    const hash = hashOf(digest);
    return this.#search(hash) ?? (this.refresh() ? this.#search(hash) : undefined);
  }

  /** As `find`, in the packs as they were last listed. */
  known(digest: Digest): { reader: PackReader; range: Range } | undefined {
    if (!this.#listed) this.refresh();
    return this.#search(hashOf(digest));
  }

  /** As `known`, for the hash that stands in `hash` from `at` on. @param found where the pack is noted. */
  hasHash(hash: Uint8Array, at: number, found?: Evidence): boolean {
    if (!this.#listed) this.refresh();
    const reader = this.#lookUp(hash, at)?.reader;
    if (reader !== undefined) found?.packs.set(basename(reader.path), reader.stamp);
    return reader !== undefined;
  }

  /** Lists the folder again if it may have changed. @returns whether there is something new. */
  refresh(): boolean {
    const folderTime = statSync(this.#layout.packs, { throwIfNoEntry: false })?.mtimeMs;
    if (this.#listed && folderTime === this.#folderTime) return false;
    this.#folderTime = folderTime !== undefined && Date.now() - folderTime > CLOCK_GRAIN_MS ? folderTime : undefined;
    this.#listed = true;
    const names = new Set(listNames(this.#layout.packs));
    let changed = false;
    for (const [name, reader] of this.#readers) {
      if (names.has(name)) continue;
      reader.close();
      this.#readers.delete(name);
      this.#table = undefined;
    }
    for (const name of names) {
      if (!name.endsWith('.pack') || this.#readers.has(name) || this.#ignored.has(name)) continue;
      const reader = this.#load(name);
      if (reader === undefined) continue;
      this.#readers.set(name, reader);
      this.#table = undefined;
      changed = true;
      if (++this.#open > OPEN_LIMIT) this.close();
    }
    return changed;
  }

  /** The bytes of a range, unverified. undefined when the pack is gone: look the digest up again. */
  read(reader: PackReader, range: Range): Buffer | undefined {
    if (!reader.isOpen && ++this.#open > OPEN_LIMIT) this.close();
    try {
      return reader.read(range);
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
      this.refresh();
      return undefined;
    }
  }

  *list(): Iterable<{ digest: Digest; size: number }> {
    this.refresh();
    for (const reader of this.#readers.values()) yield* reader.list();
  }

  /** The packs as they are now. */
  readers(): PackReader[] {
    this.refresh();
    return [...this.#readers.values()];
  }

  /** Packs that are there and can't be opened, are of a later version, or are damaged and can't be moved away. */
  unreadable(): string[] {
    this.refresh();
    return [...this.#ignored].map((name) => join(this.#layout.packs, name));
  }

  close(): void {
    for (const reader of this.#readers.values()) reader.close();
    this.#open = 0;
  }

  /** Forgets a pack that is to be moved away. */
  drop(reader: PackReader): void {
    reader.close();
    for (const [name, other] of this.#readers) if (other === reader) this.#readers.delete(name);
    this.#table = undefined;
  }

  #search(hash: Buffer): { reader: PackReader; range: Range } | undefined {
    const found = this.#lookUp(hash, 0);
    return found && { reader: found.reader, range: found.reader.range(found.i) };
  }

  #lookUp(hash: Uint8Array, at: number): { reader: PackReader; i: number } | undefined {
    this.#table ??= packTable([...this.#readers.values()]);
    return this.#table.find(hash, at);
  }

  /** Opens a pack. One that is damaged goes to quarantine: its objects count as missing and can be fetched or made again. */
  #load(name: string): PackReader | undefined {
    const path = join(this.#layout.packs, name);
    const shared = this.#shared.get(name);
    if (shared !== undefined) return PackReader.adopt(path, shared);
    try {
      const reader = PackReader.open(path);
      if (reader instanceof PackReader) return reader;
      if (reader === 'later') {
        this.#ignored.add(name);
        return undefined;
      }
      makeFolder(this.#layout.quarantine);
      const moved = join(this.#layout.quarantine, name);
      renameSync(path, moved);
      this.quarantined.push(moved);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined;
      if (!isErrno(error, 'EACCES', 'EROFS', 'EPERM', 'ENOSPC')) throw ioFailure(error, 'read the pack', path);
      this.#ignored.add(name);
    }
    return undefined;
  }
}
