import { type Digest, FailureError } from '@dag/model';
import { type HashSet, hashOf } from '@dag/store';
import { oldCheckpoints } from '../checkpoints/remove.ts';
import { HASH_SIZE, ROW_SIZE } from '../format/entry.ts';
import type { Catalog } from '../index/catalog.ts';
import { latest } from '../index/consolidate.ts';
import type { IndexObject, PushedRoot, Since } from '../index/object.ts';
import type { RemovalRequest } from '../remote.ts';
import type { ObjectInfo } from '../storage/storage.ts';
import type { Session } from '../transfer/session.ts';
import { rootsIn, treesAmong } from './late.ts';
import { addLive, type Live, type LiveRoot, nothingLive, type Reading } from './live.ts';
import { listPacks, readRows } from './packs.ts';
import { allRecords, type FoundRecord } from './run-records.ts';
import { type Survey, survey } from './survey.ts';

/** All that a removal is to do, and why. */
export interface Plan {
  readonly survey: Survey;
  readonly live: Live;
  /** Marked long enough ago, or left by a collector that died before its marking counted. */
  readonly expired: readonly IndexObject[];
  /** Marked, and not yet to go. */
  readonly waiting: readonly IndexObject[];
  /** Packs that no index names from now on. */
  readonly dropped: readonly Since[];
  /** Those of them that go now. */
  readonly doomed: readonly ObjectInfo[];
  /** Those that go later. */
  readonly unnamed: readonly ObjectInfo[];
  readonly records: readonly FoundRecord[];
  /** What goes of checkpoints. */
  readonly checkpoints: readonly ObjectInfo[];
  readonly pushing: number | undefined;
  readonly lost: number;
  /** The markings that it knows of. */
  readonly markings: ReadonlySet<string>;
  /** The collector's time, by the storage's clock. */
  readonly now: number;
}

/**
 * Finds out what nothing needs (FORMAT.md, Removing).
 * @param now by the storage's clock.
 */
export async function makePlan(reading: Reading, request: RemovalRequest, now: number): Promise<Plan> {
  const { session, catalog, store } = reading;
  await catalog.refresh(session);
  checkIndexes(catalog);
  const { grace, trust } = session.times;
  const late = lateIndexes(catalog);
  const live = nothingLive();
  await addLive(reading, live, ownRoots(request));
  await addLive(reading, live, await pushedRoots(reading));
  for (const index of late) await addLive(reading, live, await rootsIn(reading, index));
  const known = await allRecords(session, store);
  const records = await splitRecords(reading, live, request, known);
  const finished = new Set<string>(known.map(({ record }) => record.key));
  const checkpoints = await oldCheckpoints(session, finished, request.runs.before, now);
  const pushing = openPush(catalog, session);
  const marked = catalog.inForce.filter((index) => index.head.marked !== undefined);
  const ageOf = (index: IndexObject) => now - (index.head.marked?.at ?? now);
  const isOld = (index: IndexObject) => ageOf(index) >= grace;
  const isLeaving = (index: IndexObject) => ageOf(index) >= trust;
  const found = survey(catalog, live, { late, isOpen: pushing !== undefined, isLeaving });
  const expired = marked.filter(isOld);
  const { dropped, lost, packs } = await dropPacks(session, catalog, { found, expired, live, now });
  const isDue = ({ at }: Since) => now - at >= grace;
  return {
    survey: found,
    live,
    expired,
    waiting: marked.filter((index) => !isOld(index)),
    dropped,
    doomed: dropped.filter(isDue).flatMap(({ name }) => packs.get(name) ?? []),
    unnamed: dropped.filter((one) => !isDue(one)).flatMap(({ name }) => packs.get(name) ?? []),
    records,
    checkpoints,
    pushing,
    lost,
    markings: catalog.markings,
    now,
  };
}

/** What an index said that can't be read is not known: it may have been all that named something. */
function checkIndexes(catalog: Catalog): void {
  if (catalog.damaged.length === 0 && catalog.isComplete) return;
  throw new FailureError({
    code: 'refused',
    message: 'an index object of the remote is damaged: what only it names would be lost, so nothing is removed',
    hint: "mend it with 'dag fsck -r REMOTE', and send what is missing with 'dag push'",
  });
}

/** Indexes whose makers may have relied on what a marking that they did not know of has marked. */
function lateIndexes(catalog: Catalog): Set<IndexObject> {
  const known = catalog.markings.size;
  return new Set(catalog.lasting.filter((index) => catalog.seenBy(index).length < known));
}

function ownRoots({ roots }: RemovalRequest): LiveRoot[] {
  return roots.map(({ artifact: { digest, kind } }) => ({ digest, kind }));
}

/** What others pushed lately. */
async function pushedRoots(reading: Reading): Promise<LiveRoot[]> {
  const { catalog } = reading;
  const { by, times, now } = reading.session;
  const kinds = new Map<string, PushedRoot['kind']>();
  for (const { head } of catalog.inForce) {
    for (const root of head.roots) {
      const isOwn = by !== undefined && root.by === by;
      if (!isOwn && now() - root.at < times.roots) kinds.set(root.name, root.kind ?? kinds.get(root.name));
    }
  }
  const roots = Array.from(kinds, ([name, kind]) => ({ digest: `blake3:${name}` as Digest, kind }));
  const unknown = roots.filter(({ kind }) => kind === undefined);
  const places = unknown.flatMap(({ digest }) =>
    catalog
      .find(hashOf(digest))
      .slice(0, 1)
      .map((place) => ({ digest, place })),
  );
  const trees = await treesAmong(reading, places);
  return roots.map(({ digest, kind }) => ({ digest, kind: kind ?? (trees.has(digest) ? 'folder' : 'file') }));
}

/** A push that has put some indexes, has not ended, and began less than a day ago: what it sent hangs on nothing yet. */
function openPush(catalog: Catalog, { now, times }: Session): number | undefined {
  const ended = new Set(catalog.inForce.flatMap(({ head }) => head.ended.map(({ name }) => name)));
  const begun = catalog.inForce.flatMap(({ head }) => head.begun);
  const open = begun.filter(({ name, at }) => !ended.has(name) && now() - at < times.grace);
  return open.length === 0 ? undefined : Math.min(...open.map(({ at }) => at));
}

/** Keeps what recent records name. @returns those that go. */
async function splitRecords(
  reading: Reading,
  live: Live,
  { runs }: RemovalRequest,
  records: readonly FoundRecord[],
): Promise<FoundRecord[]> {
  const isDropped = ({ record }: FoundRecord) =>
    runs.dropped && (record.context['project'] ?? runs.project) === runs.project;
  const isOld = ({ record }: FoundRecord) => Date.parse(record.startedAt) < runs.before;
  const recent = records.filter((one) => !isDropped(one) && !isOld(one));
  const outs = recent.flatMap(({ record }) => Array.from(record.outs.values()));
  await addLive(
    reading,
    live,
    outs.map(({ digest, kind }) => ({ digest, kind })),
  );
  // An old one goes, unless all that it names stays anyway: it costs nothing then.
  const isFree = ({ record }: FoundRecord) =>
    [...record.outs.values()].every(({ digest }) => live.hashes.has(hashOf(digest), 0));
  return records.filter((one) => isDropped(one) || (isOld(one) && !isFree(one)));
}

interface Drop {
  readonly found: Survey;
  readonly expired: readonly IndexObject[];
  readonly live: Live;
  readonly now: number;
}

/** Which packs no index will name, and since when nobody relies on them. */
async function dropPacks(session: Session, catalog: Catalog, { found, expired, live, now }: Drop) {
  const packs = await listPacks(session);
  const named = new Set<string>();
  const gone = new Set(expired);
  for (const index of catalog.inForce) {
    if (!gone.has(index)) for (const { name } of index.packs) named.add(name);
  }
  for (const { packs: some } of found.kept.parts) for (const { name } of some) named.add(name);
  const free = (name: string) => packs.has(name) && !named.has(name);
  const before = latest(catalog.inForce.flatMap(({ head }) => head.dropped)).filter(({ name }) => free(name));
  const fromMarks = expired.flatMap((index) =>
    index.packs.filter(({ name }) => free(name)).map(({ name }) => ({ name, at: index.head.marked?.at ?? now })),
  );
  const dropped = new Map([...before, ...latest(fromMarks)].map((one) => [one.name, one]));
  let lost = 0;
  const old = [...packs].filter(([name, { modified }]) => {
    return free(name) && !dropped.has(name) && now - modified >= session.times.grace;
  });
  await session.forEach(old, async ([name, { size }]) => {
    const rows = await readRows(session, name, size);
    if (rows !== undefined && holdsNeeded(rows, live.hashes, found.placed)) lost++;
    else dropped.set(name, { name, at: now });
  });
  return { dropped: [...dropped.values()], lost, packs };
}

/** Whether a pack holds what is needed and nowhere else. */
function holdsNeeded(rows: Buffer, needed: HashSet, placed: HashSet): boolean {
  for (let at = 0; at + HASH_SIZE <= rows.length; at += ROW_SIZE) {
    if (needed.has(rows, at) && !placed.has(rows, at)) return true;
  }
  return false;
}
