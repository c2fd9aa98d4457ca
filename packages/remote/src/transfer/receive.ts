import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Digest, FailureError } from '@dag/model';
import { ObjectDamaged, type Store, type StoreBatch, tempName } from '@dag/store';
import { PIECE_MAX } from '../format/limits.ts';
import type { Piece } from '../format/list.ts';
import type { Catalog } from '../index/catalog.ts';
import type { Progress } from './progress.ts';
import { readEntries, type Want } from './read-entries.ts';
import { type CutObject, matches, pieceWants, placesOf, readLists } from './read-objects.ts';
import type { Session } from './session.ts';
import { MISMATCH } from './words.ts';

/** Bytes and objects that wait for one common fsync; when the process dies, no more than these are to be fetched again. */
const BATCH_BYTES = 64 * 1024 * 1024;
const BATCH_OBJECTS = 1 << 14;
/** Large files up to so many bytes, and so many of them, are fetched together. */
const TOGETHER_BYTES = 256 * 1024 * 1024;
const TOGETHER_FILES = 64;

/** A file that is wanted. */
export interface WantedFile {
  readonly digest: Digest;
  /** What it must measure. */
  readonly size: number;
  readonly path: string;
}

/** Brings files into a store. Nothing enters it that doesn't match its digest. */
export class Receiver {
  readonly #session: Session;
  readonly #catalog: Catalog;
  readonly #store: Store;
  readonly #progress: Progress;
  readonly #fail: (file: WantedFile, reason: string) => void;
  #batch: StoreBatch | undefined;
  #bytes = 0;
  #objects = 0;
  #committing: Promise<void> = Promise.resolve();

  constructor(of: {
    session: Session;
    catalog: Catalog;
    store: Store;
    progress: Progress;
    fail: (file: WantedFile, reason: string) => void;
  }) {
    this.#session = of.session;
    this.#catalog = of.catalog;
    this.#store = of.store;
    this.#progress = of.progress;
    this.#fail = of.fail;
  }

  /** Brings these files, none of which the store has. What is small is in the store only after `finish`. */
  async receive(files: readonly WantedFile[]): Promise<void> {
    const small: Want[] = [];
    const large: (CutObject & WantedFile)[] = [];
    for (const file of files) {
      this.#progress.add(1, file.size);
      const all = placesOf(this.#catalog, file.digest);
      const places = all.filter(({ size }) => size === file.size);
      const refuse = (reason: string) => this.#refuse(file, reason);
      const other = all[0];
      if (places.length === 0 && other !== undefined) {
        refuse(`damaged in the remote: ${other.size} bytes where there should be ${file.size}`);
      } else if (file.size <= PIECE_MAX) {
        small.push({ places, check: matches(file.digest), take: (content) => this.#take(file, content), refuse });
      } else {
        large.push({ ...file, places, refuse });
      }
    }
    await readEntries(this.#session, small);
    const lists = await readLists(this.#session, this.#catalog, large);
    for (const group of together([...lists])) await this.#receiveLarge(group);
  }

  /** Makes all that was received visible and durable. */
  async finish(): Promise<void> {
    await this.#flush();
  }

  #take(file: WantedFile, content: Uint8Array): void {
    this.#batch ??= this.#store.writeBatch();
    this.#batch.put(content, file.digest);
    this.#bytes += file.size;
    this.#objects++;
    this.#progress.done(1, file.size, true);
    if (this.#bytes >= BATCH_BYTES || this.#objects >= BATCH_OBJECTS) this.#flush().catch(this.#session.fail);
  }

  async #flush(): Promise<void> {
    const full = this.#batch;
    this.#batch = undefined;
    this.#bytes = 0;
    this.#objects = 0;
    if (full !== undefined) this.#committing = this.#committing.then(() => full.commit());
    await this.#committing;
  }

  /** Has the pieces of large files written where they belong, in temp files, which the store then takes in. */
  async #receiveLarge(group: readonly (readonly [CutObject & WantedFile, readonly Piece[]])[]): Promise<void> {
    const assembling: Assembly[] = [];
    try {
      const wants: Want[] = [];
      for (const [file, pieces] of group) {
        const assembly = new Assembly(file, join(this.#store.tmpFolder(), tempName('fetch')));
        assembling.push(assembly);
        const write = (content: Uint8Array, at: number) => {
          assembly.write(content, at);
          this.#progress.done(0, content.length, true);
        };
        wants.push(...pieceWants(this.#catalog, pieces, write, (reason) => assembly.refuse(reason)));
      }
      await readEntries(this.#session, wants);
      for (const assembly of assembling) this.#import(assembly);
    } finally {
      for (const assembly of assembling) assembly.remove();
    }
  }

  #import({ file, path, refused }: Assembly): void {
    if (refused !== undefined) {
      this.#refuse(file, refused);
      return;
    }
    try {
      this.#store.importFile(path, file.digest);
      this.#progress.done(1, 0, true);
    } catch (error) {
      if (!(error instanceof ObjectDamaged)) throw error;
      this.#refuse(file, MISMATCH);
    }
  }

  #refuse(file: WantedFile, reason: string): void {
    this.#progress.done(1, 0, false);
    this.#fail(file, reason);
  }
}

/** A large file of which pieces come in any order. */
class Assembly {
  readonly file: WantedFile;
  readonly path: string;
  refused: string | undefined;
  readonly #open: number;

  constructor(file: WantedFile, path: string) {
    this.file = file;
    this.path = path;
    this.#open = local(path, () => openSync(path, 'wx'));
  }

  write(content: Uint8Array, at: number): void {
    local(this.path, () => {
      for (let done = 0; done < content.length; ) {
        done += writeSync(this.#open, content, done, content.length - done, at + done);
      }
    });
  }

  refuse(reason: string): void {
    this.refused ??= reason;
  }

  remove(): void {
    closeSync(this.#open);
    rmSync(this.path, { force: true });
  }
}

/** Groups of large files that are fetched together. */
function* together<T extends readonly [WantedFile, unknown]>(files: readonly T[]): Generator<T[]> {
  let group: T[] = [];
  let bytes = 0;
  for (const one of files) {
    if (group.length > 0 && (bytes + one[0].size > TOGETHER_BYTES || group.length >= TOGETHER_FILES)) {
      yield group;
      group = [];
      bytes = 0;
    }
    group.push(one);
    bytes += one[0].size;
  }
  if (group.length > 0) yield group;
}

function local<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error;
    const full = error.code === 'ENOSPC' || error.code === 'EDQUOT';
    throw new FailureError({
      code: 'io',
      message: full ? `no room left to write ${path}` : `can not write ${path}: ${error.message}`,
      path,
      hint: full
        ? 'make room on that disk; what has been fetched is kept'
        : 'check the permissions of the cache folder',
    });
  }
}
