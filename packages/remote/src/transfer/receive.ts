import type { Digest } from '@dag/model';
import type { Store, StoreBatch } from '@dag/store';
import { PIECE_MAX } from '../format/limits.ts';
import type { Piece } from '../format/list.ts';
import type { Catalog } from '../index/catalog.ts';
import { Assembly } from './assembly.ts';
import type { Progress } from './progress.ts';
import { readEntries, readGroups, type Want } from './read-entries.ts';
import { type CutObject, inOrder, matches, type PlacedPiece, placesOf, readLists } from './read-objects.ts';
import type { Session } from './session.ts';
import { MISMATCH } from './words.ts';

/** Bytes and objects that wait for one common fsync; when the process dies, no more than these are to be fetched again. */
const BATCH_BYTES = 64 * 1024 * 1024;
const BATCH_OBJECTS = 1 << 14;
/** So many bytes of large files, and so many of these, are looked for together: what lies close together comes in one request. */
const TOGETHER_BYTES = 256 * 1024 * 1024;
const TOGETHER_FILES = 64;
/** What was written of large files goes to the disk whenever it is so many bytes, while more comes: else all would be waited for at the end. */
const FLUSH_BYTES = 32 * 1024 * 1024;

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
  #unsynced = 0;
  #isFlushing = false;
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
    await this.#receiveLarge(lists);
  }

  /** Makes all that was received visible and durable. */
  async finish(): Promise<void> {
    await this.#flush();
  }

  #take(file: WantedFile, content: Uint8Array): void {
    this.#batch ??= this.#store.writeBatch();
    this.#batch.put(content, file.digest);
    this.#progress.done(1, file.size, true);
    this.#count(file.size);
  }

  #count(size: number): void {
    this.#bytes += size;
    this.#objects++;
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

  /** Has the pieces of large files written where they belong; each file enters the store as soon as it is whole. */
  async #receiveLarge(lists: ReadonlyMap<WantedFile, readonly Piece[]>): Promise<void> {
    const open = new Set<Assembly>();
    const ending: Promise<void>[] = [];
    const end = (assembly: Assembly): void => {
      const ended = this.#end(assembly).then(() => void open.delete(assembly));
      ended.catch(this.#session.fail);
      ending.push(ended);
    };
    try {
      await readGroups(this.#session, this.#groups(lists, open, end));
    } finally {
      await Promise.allSettled(ending);
      // What is not whole stays for the next try.
      await Promise.allSettled(Array.from(open, (assembly) => assembly.end('keep')));
    }
    await Promise.all(ending);
  }

  /** What is to be read of large files, some of it at a time. @param end called with a file of which all has come. */
  async *#groups(
    lists: ReadonlyMap<WantedFile, readonly Piece[]>,
    open: Set<Assembly>,
    end: (assembly: Assembly) => void,
  ): AsyncGenerator<Want[]> {
    let wants: Want[] = [];
    let [bytes, files] = [0, 0];
    for (const [file, pieces] of lists) {
      this.#session.signal.throwIfAborted();
      const assembly: Assembly = await Assembly.open(this.#store, file, (size) => this.#wrote(assembly, size));
      open.add(assembly);
      files++;
      for (const part of parts(inOrder(pieces))) {
        const lacking = await assembly.lacking(part);
        const size = sizeOf(lacking);
        this.#progress.add(0, size - sizeOf(part));
        wants.push(...assembly.wants(this.#catalog, lacking, () => end(assembly)));
        bytes += size;
        if (bytes < TOGETHER_BYTES && files < TOGETHER_FILES) continue;
        yield wants;
        wants = [];
        [bytes, files] = [0, 0];
      }
      assembly.close();
      if (assembly.isDone) end(assembly);
    }
    yield wants;
  }

  #wrote(assembly: Assembly, size: number): void {
    this.#progress.done(0, size, true);
    this.#unsynced += size;
    if (this.#unsynced < FLUSH_BYTES || this.#isFlushing) return;
    this.#unsynced = 0;
    this.#isFlushing = true;
    const flushed = assembly.flush().finally(() => {
      this.#isFlushing = false;
    });
    flushed.catch(this.#session.fail);
  }

  /** Takes a file into the store of which all has come that will. */
  async #end(assembly: Assembly): Promise<void> {
    const { file, refused } = assembly;
    if (refused !== undefined) {
      await assembly.end('keep');
      this.#refuse(file, refused);
    } else if (await assembly.matches()) {
      const path = await assembly.end('finished');
      this.#batch ??= this.#store.writeBatch();
      this.#batch.putTemp(path, file.digest);
      this.#progress.done(1, 0, true);
      this.#count(file.size);
    } else {
      await assembly.end('drop');
      this.#refuse(file, MISMATCH);
    }
  }

  #refuse(file: WantedFile, reason: string): void {
    this.#progress.done(1, 0, false);
    this.#fail(file, reason);
  }
}

function* parts(pieces: Iterable<PlacedPiece>): Generator<PlacedPiece[]> {
  let part: PlacedPiece[] = [];
  let bytes = 0;
  for (const piece of pieces) {
    part.push(piece);
    bytes += piece.size;
    if (bytes < TOGETHER_BYTES) continue;
    yield part;
    [part, bytes] = [[], 0];
  }
  if (part.length > 0) yield part;
}

function sizeOf(pieces: readonly PlacedPiece[]): number {
  return pieces.reduce((sum, { size }) => sum + size, 0);
}
