import { type Digest, decodeTree, type ObjectFailure, type TreeEntry } from '@dag/model';
import type { Store, StoreBatch } from '@dag/store';
import { prepareCodec } from '../chunk/codec.ts';
import type { Catalog } from '../index/catalog.ts';
import type { FetchRequest, TransferReport } from '../remote.ts';
import { countProgress, type Progress } from './progress.ts';
import { localTree, readTrees } from './read-trees.ts';
import { Receiver, type WantedFile } from './receive.ts';
import type { Session } from './session.ts';
import { NO_LISTING, under } from './words.ts';

/** So many files are looked for together: what lies close together in packs comes in one request. */
const FILES_TOGETHER = 1 << 16;
/** Trees whose content may be in memory at once. */
const TREES_TOGETHER = 1 << 12;

/** A tree to look into, or a part of it. */
interface Visit {
  readonly digest: Digest;
  readonly path: string;
  /** Only this inside it; undefined for all. */
  readonly inside: string | undefined;
}

/**
 * Brings what the store lacks: trees level by level, to know what is inside, and files as they become known. The trees enter
 * the store last, so that a tree without its files is found in the store only where some can't be had.
 */
export async function fetch(
  session: Session,
  catalog: Catalog,
  store: Store,
  request: FetchRequest,
): Promise<TransferReport> {
  await Promise.all([catalog.refresh(session), prepareCodec()]);
  const progress = countProgress(session.emit);
  let fetching = new Fetching(session, catalog, store, progress);
  await fetching.run(request);
  // What can't be had may have moved, or come, since the index was read.
  if (fetching.failed.length > 0 && (await catalog.refresh(session))) {
    fetching = new Fetching(session, catalog, store, progress);
    await fetching.run(request);
  }
  for (const failure of fetching.failed) session.emit({ kind: 'failed', failure });
  return { ...progress.moved(), failed: fetching.failed };
}

class Fetching {
  readonly failed: ObjectFailure[] = [];
  readonly #session: Session;
  readonly #catalog: Catalog;
  readonly #store: Store;
  readonly #progress: Progress;
  readonly #receiver: Receiver;
  readonly #trees: StoreBatch;
  /** What has been looked into, or asked for. */
  readonly #seen = new Set<string>();
  readonly #wanted = new Map<Digest, WantedFile>();
  #listings = false;

  constructor(session: Session, catalog: Catalog, store: Store, progress: Progress) {
    this.#session = session;
    this.#catalog = catalog;
    this.#store = store;
    this.#progress = progress;
    const fail = ({ path, digest }: WantedFile, reason: string) => this.failed.push({ path, digest, reason });
    this.#receiver = new Receiver({ session, catalog, store, progress, fail });
    this.#trees = store.writeBatch();
  }

  async run(request: FetchRequest): Promise<void> {
    this.#listings = request.listings === true;
    let whole = false;
    try {
      let level: Visit[] = [];
      for (const { path, artifact, inside } of request.roots) {
        const { digest } = artifact;
        if (artifact.kind === 'file') this.#want({ digest, size: artifact.size, path });
        else this.#visit({ digest, path, inside: inside === '' ? undefined : inside }, level);
      }
      while (level.length > 0) {
        const below: Visit[] = [];
        for (let at = 0; at < level.length; at += TREES_TOGETHER) {
          await this.#look(level.slice(at, at + TREES_TOGETHER), below);
          if (this.#wanted.size >= FILES_TOGETHER) await this.#receive();
        }
        level = below;
      }
      await this.#receive();
      whole = true;
    } finally {
      // Also when the whole fails or is broken off: the next try goes on from here.
      await this.#receiver.finish();
      if (whole) await this.#trees.commit();
      else this.#trees.discard();
    }
  }

  #visit(next: Visit, into: Visit[]): void {
    const mark = `${next.digest} ${next.inside ?? ''}`;
    if (this.#seen.has(mark) || this.#seen.has(`${next.digest} `)) return;
    this.#seen.add(mark);
    into.push(next);
  }

  #want(file: WantedFile): void {
    if (!this.#listings && !this.#wanted.has(file.digest)) this.#wanted.set(file.digest, file);
  }

  async #receive(): Promise<void> {
    const missing = this.#store.missing(this.#wanted.keys());
    const files = missing.flatMap((digest) => this.#wanted.get(digest) ?? []);
    this.#wanted.clear();
    await this.#receiver.receive(files);
  }

  /** Looks into trees: what they name is wanted, or looked into on the next level. */
  async #look(trees: readonly Visit[], below: Visit[]): Promise<void> {
    const absent = new Map<Digest, Visit[]>();
    const open = (visit: Visit, entries: readonly TreeEntry[]) => this.#open(visit, entries, below);
    for (const visit of trees) {
      const waiting = absent.get(visit.digest);
      const local = waiting === undefined ? localTree(this.#store, visit.digest) : undefined;
      if (local !== undefined) open(visit, local);
      else if (waiting === undefined) absent.set(visit.digest, [visit]);
      else waiting.push(visit);
    }
    const fail = (digest: Digest, reason: string) => {
      this.failed.push({ path: absent.get(digest)?.[0]?.path ?? '', digest, reason });
    };
    const take = (digest: Digest, content: Uint8Array) => {
      const tree = decodeTree(content);
      if (!tree.ok) return fail(digest, NO_LISTING);
      this.#trees.put(content, digest);
      this.#progress.add(1, content.length);
      this.#progress.done(1, content.length, true);
      for (const visit of absent.get(digest) ?? []) open(visit, tree.value);
    };
    await readTrees(this.#session, this.#catalog, absent.keys(), take, fail);
  }

  #open(visit: Visit, entries: readonly TreeEntry[], below: Visit[]): void {
    const head = visit.inside?.split('/', 1)[0];
    const rest = head === undefined ? undefined : visit.inside?.slice(head.length + 1);
    for (const entry of entries) {
      if (entry.kind === 'symlink' || (head !== undefined && entry.name !== head)) continue;
      const { digest, size } = entry;
      const path = under(visit.path, entry.name);
      if (entry.kind === 'file') this.#want({ digest, size, path });
      else this.#visit({ digest, path, inside: rest === '' ? undefined : rest }, below);
    }
  }
}
