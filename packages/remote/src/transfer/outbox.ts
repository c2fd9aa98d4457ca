import { randomBytes } from 'node:crypto';
import { HashSet } from '@dag/store';
import { Encoder } from '../chunk/codec.ts';
import { EntryList } from '../format/entry.ts';
import { PackBuilder } from '../format/pack.ts';
import type { Catalog } from '../index/catalog.ts';
import { encodeIndex, type Pack, type PushedRoot, type Since } from '../index/object.ts';
import { publishIndex } from '../index/publish.ts';
import { packKey } from '../layout.ts';
import { StorageError } from '../storage/problem.ts';
import type { Progress } from './progress.ts';
import { putWhole } from './put-whole.ts';
import type { Session } from './session.ts';

/** What was sent gets its index when it is so many bytes, entries or milliseconds: a push that dies sends no more than this again. */
const BATCH_BYTES = 256 * 1024 * 1024;
const BATCH_ENTRIES = 1 << 18;
const BATCH_MS = 30_000;
/** The index is listed anew before another is put, unless that was done this part of `Times.trust` ago: some 40 seconds. */
const LIST_AGAIN = 1000;
const TOO_LONG = 'it took half a day to send something: it may be gone, so nothing names it';
const RELIED = 'what it relies on was seen half a day ago, or is being removed: the same command looks again';
/** Packs in memory: those on their way and those being filled. */
const PACKS_AT_ONCE = 8;

/** What a push sends: files' content, or trees and lists, which are read without it. */
export type Sort = 'content' | 'meta';

/** Something to be sent. */
export interface Item {
  /** 32 bytes. */
  readonly hash: Uint8Array;
  readonly kind: number;
  /** Bytes of what it is named after. */
  readonly size: number;
  readonly content: Uint8Array;
  /** What of the push is done when it has arrived. */
  readonly counts: Counts;
}

interface Counts {
  readonly objects: number;
  readonly bytes: number;
}

/** Packs, and the entries of the index that will name them. */
interface Batch {
  readonly packs: Pack[];
  readonly entries: EntryList;
  readonly uploads: Promise<void>[];
  readonly started: number;
  /** The time of day then: it goes on while the machine sleeps. */
  readonly since: number;
  bytes: number;
}

/** A pack being filled. */
interface Filling {
  readonly pack: PackBuilder;
  counts: Counts;
}

/**
 * Where a push puts what it sends. Packs go up while others are filled; an index follows when all packs that it names are
 * there, and all indexes before it. So whoever puts something here after all that it names keeps the order of FORMAT.md.
 */
export class Outbox {
  readonly #session: Session;
  readonly #catalog: Catalog;
  readonly #progress: Progress;
  readonly #roots: readonly PushedRoot[];
  /** This push, for those who find a part of it. */
  readonly #push = randomBytes(32).toString('hex');
  readonly #encoders = { content: new Encoder(), meta: new Encoder() };
  /** Memory of packs that have arrived, and who waits for some. */
  readonly #free: PackBuilder[] = [];
  readonly #waiting: (() => void)[] = [];
  #made = 0;
  #open: Record<Sort, Filling> = { content: this.#fill(), meta: this.#fill() };
  readonly #sent = new HashSet();
  #batch: Batch;
  #published: Promise<void> = Promise.resolve();
  /** What this push has said of itself in indexes. */
  #said: 'nothing' | 'begun' | 'ended' = 'nothing';
  #stored = 0;

  /** @param roots what is pushed: each index says it. */
  constructor(session: Session, catalog: Catalog, progress: Progress, roots: readonly PushedRoot[]) {
    this.#session = session;
    this.#catalog = catalog;
    this.#progress = progress;
    this.#roots = roots;
    this.#batch = newBatch(session);
  }

  /** Bytes that were put into packs. */
  get stored(): number {
    return this.#stored;
  }

  /** Whether it was put here. */
  has(hash: Uint8Array): boolean {
    return this.#sent.has(hash, 0);
  }

  /** Takes something in, unless it has it. Must not be called while it is full. */
  put(item: Item, sort: Sort): void {
    if (!this.#sent.add(item.hash, 0)) {
      this.#progress.done(item.counts.objects, item.counts.bytes, true);
      return;
    }
    const filling = this.#open[sort];
    const { codec, stored } = this.#encoders[sort].encode(item.content);
    filling.pack.add(item.hash, { kind: item.kind, codec, size: item.size }, stored);
    const { objects, bytes } = filling.counts;
    filling.counts = { objects: objects + item.counts.objects, bytes: bytes + item.counts.bytes };
    this.#stored += stored.length;
  }

  /** Whether it has put an index. */
  get hasPublished(): boolean {
    return this.#said !== 'nothing';
  }

  /** Whether there are packs that wait for their index. */
  get isPending(): boolean {
    return this.#batch.packs.length > 0;
  }

  get isFull(): boolean {
    return this.#open.content.pack.isFull || this.#open.meta.pack.isFull;
  }

  /** Sends the packs that are full; returns when there is room again. */
  async makeRoom(): Promise<void> {
    for (const sort of ['content', 'meta'] as const) {
      if (this.#open[sort].pack.isFull) await this.#ship(sort);
    }
    const { bytes, entries, started } = this.#batch;
    if (bytes >= BATCH_BYTES || entries.count >= BATCH_ENTRIES || performance.now() - started >= BATCH_MS) {
      await this.#closeBatch();
    }
  }

  /** Sends what is left; returns when all of it is there, but for the last index. */
  async settle(): Promise<void> {
    await this.#shipAll();
    await this.#published;
    await Promise.all(this.#batch.uploads);
    this.#session.signal.throwIfAborted();
  }

  /** Sends what is left; returns when all of it is there and named. */
  async finish(): Promise<void> {
    await this.#closeBatch(true);
    await this.#published;
    this.#session.signal.throwIfAborted();
  }

  /** Throws where what this push relies on was seen too long ago to be named by anything. */
  checkTrust(): void {
    const { now, times } = this.#session;
    if (now() - this.#catalog.sound.at > times.trust) throw new StorageError('busy', RELIED, { transient: false });
  }

  /** Says what was pushed, where nothing had to be sent for it. */
  async sayRoots(): Promise<void> {
    await this.#publish(newBatch(this.#session), true);
  }

  /** Trees and lists go with the content where they fit. */
  async #shipAll(): Promise<void> {
    const { content, meta } = this.#open;
    if (meta.pack.count > 0 && content.pack.fits(meta.pack)) {
      content.pack.take(meta.pack);
      const objects = content.counts.objects + meta.counts.objects;
      content.counts = { objects, bytes: content.counts.bytes + meta.counts.bytes };
      meta.counts = { objects: 0, bytes: 0 };
    }
    for (const sort of ['content', 'meta'] as const) if (this.#open[sort].pack.count > 0) await this.#ship(sort);
  }

  async #closeBatch(isLast = false): Promise<void> {
    await this.#shipAll();
    const batch = this.#batch;
    this.#batch = newBatch(this.#session);
    if (batch.packs.length === 0 && !(isLast && this.#said === 'begun')) return;
    this.#published = this.#published.then(() => this.#publish(batch, isLast));
    this.#published.catch(this.#session.fail);
  }

  async #publish({ packs, entries, uploads, since }: Batch, isLast: boolean): Promise<void> {
    const { times, now, signal } = this.#session;
    await Promise.all(uploads);
    signal.throwIfAborted();
    if (now() - this.#catalog.listedAt > times.trust / LIST_AGAIN) await this.#catalog.refresh(this.#session);
    this.checkTrust();
    const { seen } = this.#catalog.sound;
    if (now() - since > times.trust) throw new StorageError('busy', TOO_LONG, { transient: false });
    // The time is that of its last index: a push may take longer than a collector's grace.
    const begun: Since[] = isLast && this.#said === 'nothing' ? [] : [{ name: this.#push, at: now() }];
    const head = { roots: this.#roots, seen, begun, ended: isLast ? begun : [] };
    await publishIndex(this.#session, this.#catalog, encodeIndex(head, packs, entries));
    this.#said = isLast ? 'ended' : 'begun';
  }

  async #ship(sort: Sort): Promise<void> {
    const { pack, counts } = this.#open[sort];
    const { name, bytes, entries } = pack.finish();
    const number = this.#batch.packs.push({ name, length: bytes.length }) - 1;
    this.#batch.entries.addAll(entries.rows(), number);
    this.#batch.bytes += bytes.length;
    const upload = this.#upload(pack, name, bytes, counts);
    upload.catch(this.#session.fail);
    this.#batch.uploads.push(upload);
    while (this.#free.length === 0 && this.#made >= PACKS_AT_ONCE) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#session.signal.throwIfAborted();
    this.#open[sort] = this.#fill();
  }

  async #upload(pack: PackBuilder, name: string, bytes: Buffer, counts: Counts): Promise<void> {
    try {
      await putWhole(this.#session, packKey(name), bytes);
      this.#progress.done(counts.objects, counts.bytes, true);
    } finally {
      pack.clear();
      this.#free.push(pack);
      this.#waiting.shift()?.();
    }
  }

  #fill(): Filling {
    let pack = this.#free.pop();
    if (pack === undefined) {
      pack = new PackBuilder();
      this.#made++;
    }
    return { pack, counts: { objects: 0, bytes: 0 } };
  }
}

function newBatch({ now }: Session): Batch {
  return { since: now(), packs: [], entries: new EntryList(), uploads: [], started: performance.now(), bytes: 0 };
}
