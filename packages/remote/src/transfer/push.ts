import type { Digest, ObjectFailure, RunRecord } from '@dag/model';
import type { Store } from '@dag/store';
import type { PushReport, PushRequest } from '../remote.ts';
import { type Found, findPresent } from './presence.ts';
import { countProgress } from './progress.ts';
import { sendRecord } from './records.ts';
import { createSender } from './send.ts';
import type { Session } from './session.ts';
import { type FileObject, type Inventory, type TreeObject, takeInventory } from './walk.ts';

/**
 * Sends what the storage lacks in the order that FORMAT.md demands: files, then trees from the bottom up, then run records;
 * each level is safe there before the next begins. What can't be had is reported, and nothing is sent that would name it.
 */
export async function push(session: Session, store: Store, request: PushRequest): Promise<PushReport> {
  const records = request.records ?? [];
  const recordRoots = records.flatMap((record) => Array.from(record.outs, ([path, artifact]) => ({ path, artifact })));
  const inventory = takeInventory(store, [...request.roots, ...recordRoots]);
  const found = await findPresent(session, wantedOf(store, inventory));
  const failed: ObjectFailure[] = [];
  /** Not there, and not going to be: no tree or record that needs one of these may be sent. */
  const lacking = new Set<Digest>();
  const fail = (digest: Digest, path: string, reason: string) => {
    lacking.add(digest);
    const failure = { path, digest, reason };
    failed.push(failure);
    session.emit({ kind: 'failed', failure });
  };
  for (const [digest, { path }] of inventory.unknown) {
    if (!found.present.has(digest)) fail(digest, path, 'not in the cache, and not in the remote');
  }

  const progress = countProgress(session.emit);
  const sender = createSender(session, store);
  const sendObject = async (digest: Digest, path: string, size: number) => {
    const one = progress.begin(size);
    const result = await sender.send(digest, found.damaged.has(digest), one);
    one.end(result === 'stored');
    if (typeof result === 'object') fail(digest, path, result.reason);
  };

  const files = absent(inventory.files, found);
  const trees = inventory.trees.filter((tree) => !found.present.has(tree.digest));
  progress.add(
    files.length + trees.length,
    files.reduce((sum, [, file]) => sum + file.size, 0) + trees.reduce((sum, tree) => sum + sizeOf(store, tree), 0),
  );
  await session.forEach(files, ([digest, file]) => sendObject(digest, file.path, file.size));
  await session.call(() => session.storage.settle());

  for (const level of byHeight(trees)) {
    const whole: TreeObject[] = [];
    for (const tree of level) {
      if (tree.children.some((child) => lacking.has(child))) lacking.add(tree.digest);
      else whole.push(tree);
    }
    await session.forEach(whole, (tree) => sendObject(tree.digest, tree.path, sizeOf(store, tree)));
    await session.call(() => session.storage.settle());
  }

  const sendable = records.filter((record) => allThere(record, lacking));
  let newRecords = 0;
  await session.forEach(sendable, async (record) => {
    if (await sendRecord(session, record)) newRecords++;
  });
  await session.call(() => session.storage.settle());
  return { ...progress.moved(), failed, records: newRecords };
}

function wantedOf(store: Store, inventory: Inventory): Map<Digest, number | undefined> {
  const wanted = new Map<Digest, number | undefined>();
  for (const [digest, { size }] of inventory.files) wanted.set(digest, size);
  for (const { digest } of inventory.trees) wanted.set(digest, store.size(digest));
  for (const digest of inventory.unknown.keys()) wanted.set(digest, undefined);
  return wanted;
}

function absent(files: ReadonlyMap<Digest, FileObject>, found: Found): [Digest, FileObject][] {
  return Array.from(files).filter(([digest]) => !found.present.has(digest));
}

function sizeOf(store: Store, tree: TreeObject): number {
  return store.size(tree.digest) ?? 0;
}

/** Lowest first: the trees of one level name only what is below it. */
function byHeight(trees: readonly TreeObject[]): TreeObject[][] {
  const levels: TreeObject[][] = [];
  for (const tree of trees) {
    const level = levels[tree.height] ?? [];
    levels[tree.height] = level;
    level.push(tree);
  }
  return levels.filter((level) => level !== undefined);
}

function allThere(record: RunRecord, lacking: ReadonlySet<Digest>): boolean {
  for (const artifact of record.outs.values()) if (lacking.has(artifact.digest)) return false;
  return true;
}
