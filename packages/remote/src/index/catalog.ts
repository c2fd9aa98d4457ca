import { HashSet } from '@dag/store';
import { INDEX_LIMIT } from '../format/limits.ts';
import { INDEX_NAMES_KEY, INDEX_PREFIX, indexKey, indexName } from '../layout.ts';
import type { ObjectInfo } from '../storage/storage.ts';
import { readWhole } from '../transfer/read-whole.ts';
import type { Session } from '../transfer/session.ts';
import type { Copies } from './copies.ts';
import { IndexObject, type Place } from './object.ts';

/** An index that is listed while it is looked for may have been replaced and removed since: then the list is asked again. */
const LISTS_AT_MOST = 5;

/** A moment, by the session's clock, and the markings that were known then. */
interface Sound {
  readonly at: number;
  readonly seen: readonly string[];
}

/** What a remote has, as its index objects say: those in force at the last `refresh`, and what was added since. */
export class Catalog {
  readonly #copies: Copies;
  /** All that are listed and whole, by name. */
  #known = new Map<string, IndexObject>();
  #inForce: readonly IndexObject[] = [];
  #listed: ReadonlyMap<string, ObjectInfo> = new Map();
  #damaged: readonly string[] = [];
  #isComplete = true;
  /** What others may rely on: in force, and not marked for removal. */
  #lasting: readonly IndexObject[] = [];
  #listedAt = 0;
  /** When the list was asked for in which all that is relied on stood, and which markings were in it. */
  #sound: Sound = { at: 0, seen: [] };
  #relied = new HashSet();
  readonly #own = new Set<string>();
  /** When what is published for readers who can't list was written, by the storage's clock. */
  #publishedAt: number | undefined;
  #addedSince = false;

  constructor(copies: Copies) {
    this.#copies = copies;
  }

  /** The indexes that count. */
  get inForce(): readonly IndexObject[] {
    return this.#inForce;
  }

  /** Those of them whose entries are not marked for removal. */
  get lasting(): readonly IndexObject[] {
    return this.#lasting;
  }

  /** The markings that count. */
  get markings(): ReadonlySet<string> {
    return new Set(this.#inForce.flatMap(({ head: { marked } }) => (marked?.last === true ? [marked.id] : [])));
  }

  /** The markings in force that the maker of an index knew of, or which leave all that it holds. */
  seenBy(index: IndexObject): string[] {
    const spared = this.#inForce.flatMap(({ head: { marked } }) =>
      marked?.spares.includes(index.name) === true ? [marked.id] : [],
    );
    const seen = new Set([...index.head.seen, ...spared]);
    return [...this.markings].filter((id) => seen.has(id)).sort();
  }

  /** Whether every index that is listed could be read. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** What the storage said of each index object, by name. */
  get listed(): ReadonlyMap<string, ObjectInfo> {
    return this.#listed;
  }

  /** Names of index objects whose bytes are not what they were named after. */
  get damaged(): readonly string[] {
    return this.#damaged;
  }

  /** Whether what is published of the indexes in force is not there, or may lag behind. */
  get isPublishable(): boolean {
    if (this.#addedSince) return true;
    const newest = Math.max(...[...this.#listed.values()].map(({ modified }) => modified));
    return this.#inForce.length > 0 && (this.#publishedAt === undefined || this.#publishedAt < newest);
  }

  /** What is in force has just been published. */
  published(): void {
    this.#addedSince = false;
  }

  /** When the list was asked for last, by the session's clock. */
  get listedAt(): number {
    return this.#listedAt;
  }

  /** Since when all that is relied on is known to be there, and which markings were known then. */
  get sound(): Sound {
    return this.#sound;
  }

  /** Whether some content is there, to be relied on: what is marked for removal is not. */
  has(hash: Uint8Array, at = 0): boolean {
    for (const index of this.#lasting) if (index.has(hash, at)) return true;
    return false;
  }

  /**
   * Like `has`, and remembers what is relied on.
   * @param others whether what this process has put itself does not count.
   */
  relyOn(hash: Uint8Array, others: boolean): boolean {
    for (const index of this.#lasting) {
      if ((others && this.#own.has(index.name)) || !index.has(hash, 0)) continue;
      this.#relied.add(hash, 0);
      return true;
    }
    return false;
  }

  /** Whether all that was relied on is still there. */
  get isReliable(): boolean {
    return this.#relied.every((hash, at) => this.has(hash, at));
  }

  /** Begins anew to remember what is relied on. */
  relyOnNothing(): void {
    this.#relied = new HashSet();
  }

  /** All places of some content: any of them will do; those that last come first. */
  find(hash: Uint8Array, at = 0): Place[] {
    const places: Place[] = [];
    for (const index of this.#inForce) {
      const place = index.find(hash, at);
      if (place !== undefined) places.push(place);
    }
    return places;
  }

  /**
   * Asks the storage which indexes there are, and reads those of which there is no copy: one request where nothing is new.
   * @returns whether any came or went.
   */
  async refresh(session: Session): Promise<boolean> {
    const before = this.#inForce;
    for (let tries = 1; ; tries++) {
      const at = session.now();
      const { listed, publishedAt } = await listIndexes(session);
      this.#publishedAt = publishedAt;
      this.#isComplete = await this.#load(session, listed, tries > 1);
      if (!this.#isComplete && tries < LISTS_AT_MOST) continue;
      this.#settle(listed);
      this.#listedAt = at;
      if (this.isReliable) this.#sound = { at, seen: [...this.markings].sort() };
      const names = new Set(before.map(({ name }) => name));
      return this.#inForce.length !== before.length || this.#inForce.some(({ name }) => !names.has(name));
    }
  }

  /** An index that this process has just put. */
  add(index: IndexObject, info: Omit<ObjectInfo, 'key'>): void {
    this.#known.set(index.name, index);
    this.#own.add(index.name);
    this.#addedSince = true;
    this.#copies.write(index.name, index.bytes);
    this.#settle(new Map([...this.#listed, [index.name, { key: indexKey(index.name), ...info }]]));
  }

  /** @returns false when one was gone. */
  async #load(session: Session, listed: ReadonlyMap<string, ObjectInfo>, again: boolean): Promise<boolean> {
    const replaced = new Set<string>();
    const learn = (index: IndexObject) => {
      this.#known.set(index.name, index);
      for (const name of index.head.replaces) replaced.add(name);
    };
    const damaged: string[] = [];
    const absent: string[] = [];
    for (const name of listed.keys()) {
      const known = this.#known.get(name) ?? this.#copyOf(name);
      if (known === undefined) absent.push(name);
      else learn(known);
    }
    let complete = true;
    // The newest first: it may say that others need not be read.
    absent.sort((a, b) => (listed.get(b)?.modified ?? 0) - (listed.get(a)?.modified ?? 0));
    await session.forEach(absent, async (name) => {
      if (replaced.has(name)) return;
      const bytes = await readUntilWhole(session, name, again);
      if (bytes === undefined) complete = false;
      else if (bytes === 'damaged') damaged.push(name);
      else {
        learn(bytes);
        this.#copies.write(name, bytes.bytes);
      }
    });
    this.#damaged = damaged;
    return complete;
  }

  #copyOf(name: string): IndexObject | undefined {
    const bytes = this.#copies.read(name);
    return bytes === undefined ? undefined : IndexObject.decode(name, bytes);
  }

  #settle(listed: ReadonlyMap<string, ObjectInfo>): void {
    for (const name of this.#known.keys()) if (!listed.has(name)) this.#known.delete(name);
    const replaced = new Set([...this.#known.values()].flatMap((index) => index.head.replaces));
    const inForce = [...this.#known.values()].filter(({ name }) => !replaced.has(name));
    this.#lasting = inForce.filter(({ head }) => head.marked === undefined);
    this.#inForce = [...this.#lasting, ...inForce.filter(({ head }) => head.marked !== undefined)];
    this.#listed = listed;
    this.#copies.keepOnly(new Set(this.#known.keys()));
  }
}

async function listIndexes(session: Session) {
  const { storage, signal } = session;
  return await session.call(async () => {
    const listed = new Map<string, ObjectInfo>();
    let publishedAt: number | undefined;
    for await (const page of storage.list(INDEX_PREFIX, { signal })) {
      for (const info of page) {
        const name = indexName(info.key);
        if (name !== undefined) listed.set(name, info);
        else if (info.key === INDEX_NAMES_KEY) publishedAt = info.modified;
      }
    }
    return { listed, publishedAt };
  });
}

/** An index object; once more where it is damaged, which may have happened on its way. */
async function readUntilWhole(
  session: Session,
  name: string,
  fresh: boolean,
): Promise<IndexObject | 'damaged' | undefined> {
  for (let tries = 1; ; tries++) {
    const bytes = await readWhole(session, indexKey(name), INDEX_LIMIT, fresh || tries > 1);
    if (bytes === undefined) return undefined;
    const index = bytes === 'too-large' ? undefined : IndexObject.decode(name, bytes);
    if (index !== undefined) return index;
    if (tries === 2) return 'damaged';
  }
}
