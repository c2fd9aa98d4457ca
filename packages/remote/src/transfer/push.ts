import {
  type Artifact,
  type Digest,
  decodeTree,
  digestHex,
  FailureError,
  type ObjectFailure,
  type TreeEntry,
} from '@dag/model';
import { hashOf, ObjectMissing, type Store } from '@dag/store';
import { prepareCodec } from '../chunk/codec.ts';
import { PIECE_MAX, TREE_LIMIT } from '../format/limits.ts';
import type { Catalog } from '../index/catalog.ts';
import { consolidate } from '../index/consolidate.ts';
import type { PushedRoot } from '../index/object.ts';
import type { PushReport, PushRequest, Root } from '../remote.ts';
import { StorageError } from '../storage/problem.ts';
import { Outbox } from './outbox.ts';
import { countProgress } from './progress.ts';
import { sendRecords } from './records.ts';
import { sendBytes, sendFile, type Way } from './send-object.ts';
import type { Session } from './session.ts';
import { NOWHERE, under } from './words.ts';

/** So many files are looked at before others get their turn. */
const TURN = 1000;
/** How often a push looks again because what it relied on was removed. */
const TRIES = 3;

/**
 * Sends what the storage lacks in the order that FORMAT.md demands: all that a tree names before the tree, and run records
 * last. What can't be had is reported, and nothing is sent that would name it. A tree that is there is not looked into: all
 * below it is there too.
 */
export async function push(
  session: Session,
  catalog: Catalog,
  store: Store,
  request: PushRequest,
): Promise<PushReport> {
  catalog.relyOnNothing();
  await Promise.all([catalog.refresh(session), prepareCodec()]);
  const records = request.records ?? [];
  const recordRoots = records.flatMap((record) => Array.from(record.outs, ([path, artifact]) => ({ path, artifact })));
  const roots = [...request.roots, ...recordRoots];
  const progress = countProgress(session.emit);
  const { by, now } = session;
  const pushed = roots.map(({ artifact: { digest, kind } }) => ({ name: digestHex(digest), at: now(), by, kind }));
  const outbox = new Outbox(session, catalog, progress, pushed);
  const send = async (again: boolean): Promise<Sending> => {
    const sending = new Sending({ session, store, way: { outbox, catalog, progress }, again });
    for (const root of roots) await sending.root(root);
    return sending;
  };
  let sending = await send(false);
  await outbox.settle();
  for (let tries = 0; tries < TRIES && outbox.isPending; tries++) {
    // What this push left out may have been removed since it was seen (FORMAT.md, Removing).
    await catalog.refresh(session);
    if (catalog.isReliable) break;
    catalog.relyOnNothing();
    sending = await send(true);
    await outbox.settle();
  }
  await outbox.finish();
  // What is in the cache no more may have been sent by another in the meantime.
  if (sending.failed.length > 0 && (await catalog.refresh(session))) {
    sending = await send(false);
    await outbox.finish();
  }
  if (!outbox.hasPublished && needSaying(session, catalog, pushed)) await sayRoots(outbox);
  for (const failure of sending.failed) session.emit({ kind: 'failed', failure });
  const sendable = records.filter((record) => [...record.outs.values()].every((out) => !sending.lacks(out.digest)));
  if (sendable.length > 0) outbox.checkTrust();
  const sent = await sendRecords(session, sendable);
  if (outbox.hasPublished) await consolidate(session, catalog);
  return { ...progress.moved(), stored: outbox.stored, failed: sending.failed, records: sent };
}

/**
 * Whether some of what was pushed, all of which was there, is not known to be in use: said lately by this clone, or by two
 * others, as a collector heeds what all clones but its own say.
 */
function needSaying({ now, times, by }: Session, catalog: Catalog, pushed: readonly PushedRoot[]): boolean {
  const said = new Map<string, Set<string | undefined>>();
  for (const { head } of catalog.inForce) {
    for (const root of head.roots) {
      if (now() - root.at >= times.roots / 2) continue;
      said.set(root.name, (said.get(root.name) ?? new Set()).add(root.by));
    }
  }
  return pushed.some(({ name }) => {
    const clones = said.get(name) ?? new Set();
    const isSaid = clones.has(by) || clones.has(undefined) || clones.size > 1;
    return !isSaid && catalog.has(Buffer.from(name, 'hex'));
  });
}

/** Who may not write there has pushed nothing: all was there. */
async function sayRoots(outbox: Outbox): Promise<void> {
  try {
    await outbox.sayRoots();
  } catch (error) {
    if (!(error instanceof StorageError) || error.problem !== 'permission') throw error;
  }
}

/** A tree that is being looked through. */
interface Visit {
  readonly digest: Digest;
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly entries: readonly TreeEntry[];
  next: number;
  /** Whether all that it names so far is there, or on its way. */
  whole: boolean;
}

class Sending {
  readonly failed: ObjectFailure[] = [];
  /** Neither there nor here, or naming such. */
  readonly #lacking = new Set<Digest>();
  readonly #seen = new Set<Digest>();
  readonly #session: Session;
  readonly #store: Store;
  readonly #way: Way;
  /** Whether this push itself is no proof that what a tree names is there. */
  readonly #again: boolean;
  #turn = 0;

  constructor(of: { session: Session; store: Store; way: Way; again: boolean }) {
    this.#session = of.session;
    this.#store = of.store;
    this.#way = of.way;
    this.#again = of.again;
  }

  lacks(digest: Digest): boolean {
    return this.#lacking.has(digest);
  }

  async root({ path, artifact }: Root): Promise<void> {
    if (artifact.kind === 'file') {
      this.#way.progress.add(1, artifact.size);
      await this.#file(artifact.digest, path, artifact.size);
    } else {
      await this.#folder(artifact, path);
    }
  }

  async #folder({ digest }: Artifact, path: string): Promise<void> {
    const { progress } = this.#way;
    const top = this.#enter(digest, path);
    if (top === undefined) return;
    for (const entry of top.entries) {
      if (entry.kind === 'file') progress.add(1, entry.size);
      if (entry.kind === 'folder') progress.add(entry.files, entry.size);
    }
    const stack = [top];
    for (let visit = stack.at(-1); visit !== undefined; visit = stack.at(-1)) {
      const entry = visit.entries[visit.next++];
      if (entry === undefined) {
        stack.pop();
        await this.#leave(visit);
        const above = stack.at(-1);
        if (above !== undefined && this.lacks(visit.digest)) above.whole = false;
      } else if (entry.kind === 'file') {
        if (!(await this.#file(entry.digest, under(visit.path, entry.name), entry.size))) visit.whole = false;
      } else if (entry.kind === 'folder') {
        const below = this.#enter(entry.digest, under(visit.path, entry.name));
        if (below !== undefined) stack.push(below);
        else {
          progress.add(-entry.files, -entry.size);
          if (this.lacks(entry.digest)) visit.whole = false;
        }
      }
    }
  }

  /** Begins with a tree; undefined where nothing is to be done below it. */
  #enter(digest: Digest, path: string): Visit | undefined {
    if (this.lacks(digest) || this.#seen.has(digest) || this.#isThere(hashOf(digest), this.#again)) return undefined;
    if (this.#again) this.#seen.add(digest);
    try {
      const bytes = this.#store.read(digest, TREE_LIMIT);
      const tree = decodeTree(bytes);
      if (!tree.ok) {
        this.#fail(digest, path, `no folder listing: ${tree.error}`);
        return undefined;
      }
      this.#way.progress.add(1, bytes.length);
      return { digest, path, bytes, entries: tree.value, next: 0, whole: true };
    } catch (error) {
      this.#failBy(error, digest, path);
      return undefined;
    }
  }

  async #leave({ digest, bytes, whole }: Visit): Promise<void> {
    if (whole) {
      await sendBytes(this.#way, hashOf(digest), bytes, 'meta');
    } else {
      this.#lacking.add(digest);
      this.#way.progress.done(1, bytes.length, false);
    }
  }

  /** @returns whether it is there, or on its way. */
  async #file(digest: Digest, path: string, size: number): Promise<boolean> {
    const hash = hashOf(digest);
    const { progress } = this.#way;
    // What is large may need pieces that went away: each of them is looked for.
    if (this.lacks(digest) || this.#isThere(hash, this.#again && size > PIECE_MAX && !this.#seen.has(digest))) {
      progress.add(-1, -size);
      return !this.lacks(digest);
    }
    if (this.#again) this.#seen.add(digest);
    if (++this.#turn % TURN === 0) await new Promise((resolve) => setImmediate(resolve));
    this.#session.signal.throwIfAborted();
    try {
      const place = this.#store.locate(digest);
      if (place !== undefined && place.size > PIECE_MAX) {
        if (await sendFile(this.#way, hash, place)) return true;
        const problem = this.#store.check(digest);
        this.#fail(digest, path, problem === 'missing' ? NOWHERE : 'damaged in the cache');
      } else {
        await sendBytes(this.#way, hash, this.#store.read(digest), 'content');
        return true;
      }
    } catch (error) {
      this.#failBy(error, digest, path);
    }
    progress.done(1, size, false);
    return false;
  }

  #isThere(hash: Uint8Array, others: boolean): boolean {
    const { outbox, catalog } = this.#way;
    return (!others && outbox.has(hash)) || catalog.relyOn(hash, others);
  }

  #failBy(error: unknown, digest: Digest, path: string): void {
    if (!(error instanceof FailureError) || error.failure.code !== 'objects-failed') throw error;
    const reason = error instanceof ObjectMissing ? NOWHERE : error.failure.failed[0]?.reason;
    this.#fail(digest, path, reason ?? error.message);
  }

  #fail(digest: Digest, path: string, reason: string): void {
    this.#lacking.add(digest);
    this.failed.push({ path, digest, reason });
  }
}
