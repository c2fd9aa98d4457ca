import { randomBytes } from 'node:crypto';
import { deleteCheckpoints } from '../checkpoints/remove.ts';
import { Encoder } from '../chunk/codec.ts';
import { KIND } from '../format/entry.ts';
import { IndexBuilder, type IndexBuilders } from '../index/builder.ts';
import type { Catalog } from '../index/catalog.ts';
import { latest, latestRoots, removeReplaced } from '../index/consolidate.ts';
import type { Head, IndexObject } from '../index/object.ts';
import { publishIndex } from '../index/publish.ts';
import { storageTime } from '../marker.ts';
import { publishRecords } from '../published/publish.ts';
import { countProgress } from '../transfer/progress.ts';
import { putPacks, type StoredEntry } from '../transfer/put-packs.ts';
import { readEntries } from '../transfer/read-entries.ts';
import { matches } from '../transfer/read-objects.ts';
import type { Session } from '../transfer/session.ts';
import { digestIn, piecesIn } from './live.ts';
import type { Plan } from './plan.ts';
import type { Copy } from './survey.ts';

/** Keys that are removed in one call. */
const TOGETHER = 1000;
/** Entries that are copied at once: at most 2 MiB each are in memory. */
const COPIED_TOGETHER = 64;

/**
 * Does what a plan says, in the order of FORMAT.md: copies, run records, indexes with the one last that makes it all count, and
 * packs that nothing named for long.
 * @returns false when indexes of the plan were replaced by somebody else in the meantime: then nothing counts yet.
 */
export async function carryOut(session: Session, catalog: Catalog, plan: Plan): Promise<boolean> {
  const { storage, signal } = session;
  const progress = countProgress(session.emit);
  for (const { size } of plan.doomed) progress.add(1, size);
  if (!(await copyOut(session, plan))) return false;
  await removeKeys(
    session,
    plan.records.map(({ key }) => key),
  );
  if (plan.records.length > 0) await publishRecords(session);
  await deleteCheckpoints(
    session,
    plan.checkpoints.map(({ key }) => key),
  );
  if (needsIndex(catalog, plan)) {
    await session.call(() => storage.settle());
    await catalog.refresh(session);
    const there = new Set(catalog.inForce.map(({ name }) => name));
    const { rewritten, spared } = plan.survey;
    if (![...rewritten, ...spared, ...plan.expired].every(({ name }) => there.has(name))) return false;
    for (const index of newIndexes(catalog, plan, await storageTime(session)))
      await publishIndex(session, catalog, index);
  }
  for (let at = 0; at < plan.doomed.length; at += TOGETHER) {
    const some = plan.doomed.slice(at, at + TOGETHER);
    await session.call(() =>
      storage.delete(
        some.map(({ key }) => key),
        { signal },
      ),
    );
    for (const { size } of some) progress.done(1, size, true);
  }
  await session.call(() => storage.settle());
  await removeReplaced(session, catalog);
  return true;
}

/** Whether anything is different afterwards that an index must say. */
function needsIndex(catalog: Catalog, { survey, expired, dropped }: Plan): boolean {
  const known = new Set(catalog.inForce.flatMap(({ head }) => head.dropped.map(({ name }) => name)));
  const isNew = dropped.some(({ name }) => !known.has(name));
  return (
    survey.rewritten.length + survey.kept.count + survey.copies.length + survey.marked.count + expired.length > 0 ||
    isNew
  );
}

/**
 * Puts into packs of their own what is needed of packs that go.
 * @returns false where some of it went away meanwhile.
 */
async function copyOut(session: Session, { survey }: Plan): Promise<boolean> {
  const damaged: Copy[] = [];
  const entries = wholeOf(session, survey.copies, (one) => void damaged.push(one));
  await putPacks(session, entries, (hash, place) => survey.kept.add(hash, place));
  if (damaged.some(({ isLeaving }) => isLeaving)) return false;
  // What is damaged can't be copied: it stays where it is, for fsck to find.
  for (const { hash, place } of damaged) survey.kept.add(hash, place);
  return true;
}

/** What can be read of entries, each as it is to be stored anew. */
async function* wholeOf(
  session: Session,
  copies: readonly Copy[],
  refuse: (one: Copy) => void,
): AsyncGenerator<StoredEntry> {
  const encoder = new Encoder();
  for (let at = 0; at < copies.length; at += COPIED_TOGETHER) {
    const entries: StoredEntry[] = [];
    const wants = copies.slice(at, at + COPIED_TOGETHER).map((one) => ({
      places: [one.place],
      check: (content: Uint8Array) => isWhole(content, one),
      take: (content: Uint8Array) => {
        const { codec, stored } = encoder.encode(content);
        entries.push({
          hash: one.hash,
          place: { ...one.place, codec, stored: stored.length },
          stored: Buffer.from(stored),
        });
      },
      refuse: () => refuse(one),
    }));
    await readEntries(session, wants);
    yield* entries;
  }
}

function isWhole(
  content: Uint8Array,
  { hash, place }: { readonly hash: Uint8Array; readonly place: StoredEntry['place'] },
) {
  return place.kind === KIND.bytes ? matches(digestIn(hash))(content) : piecesIn(content, place) !== undefined;
}

/** The indexes that make the plan count, in the order in which they are to be put: before the last one nothing is different. */
function* newIndexes(
  catalog: Catalog,
  { survey, expired, dropped, markings }: Plan,
  now: number,
): Generator<IndexObject> {
  const replaced = [...survey.rewritten, ...expired];
  const heads = replaced.map(({ head }) => head);
  const replaces = replaced.flatMap(({ name, head }) => [
    name,
    ...head.replaces.filter((old) => catalog.listed.has(old)),
  ]);
  const marking = survey.marked.count > 0 ? randomBytes(32).toString('hex') : undefined;
  const gone = new Set(expired.map(({ head }) => head.marked?.id));
  const seen = [...markings].filter((id) => !gone.has(id));
  if (marking !== undefined) seen.push(marking);
  const first: Partial<Head> = {
    roots: latestRoots(heads.flatMap(({ roots }) => roots)),
    begun: latest(heads.flatMap(({ begun }) => begun)),
    ended: latest(heads.flatMap(({ ended }) => ended)),
    dropped,
  };
  const turn = { replaces: [...new Set(replaces)].sort() };
  const kept = atLeastOne(survey.kept);
  for (const [i, part] of kept.entries()) {
    const isLast = marking === undefined && i === kept.length - 1;
    yield part.build({ seen: seen.toSorted(), ...(i === 0 ? first : {}), ...(isLast ? turn : {}) });
  }
  if (marking === undefined) return;
  const spares = survey.spared.map(({ name }) => name);
  for (const [i, part] of survey.marked.parts.entries()) {
    const last = i === survey.marked.parts.length - 1;
    const marked = { id: marking, at: now, last, spares: last ? spares : [] };
    yield part.build({ marked, ...(last ? turn : {}) });
  }
}

function atLeastOne({ parts }: IndexBuilders): readonly IndexBuilder[] {
  return parts.length > 0 ? parts : [new IndexBuilder()];
}

async function removeKeys({ storage, signal, call }: Session, keys: readonly string[]): Promise<void> {
  for (let at = 0; at < keys.length; at += TOGETHER) {
    await call(() => storage.delete(keys.slice(at, at + TOGETHER), { signal }));
  }
}
