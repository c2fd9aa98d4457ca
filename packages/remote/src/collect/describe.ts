import type { Digest } from '@dag/model';
import { HashSet, hashOf } from '@dag/store';
import { runOfKey } from '../checkpoints/record.ts';
import { KIND } from '../format/entry.ts';
import type { IndexObject, Place } from '../index/object.ts';
import type { Amount, NamedRoot, RemoteObject, RemovalPlan, RemovalRequest } from '../remote.ts';
import { readEntries } from '../transfer/read-entries.ts';
import { under } from '../transfer/words.ts';
import { openTrees, piecesIn, type Reading } from './live.ts';
import type { Plan } from './plan.ts';

/** What a plan means to the user: objects with their paths and sizes, no pieces of any. */
export async function describe(reading: Reading, plan: Plan, request: RemovalRequest): Promise<RemovalPlan> {
  const { survey, live, expired, waiting, doomed } = plan;
  const isLive = (hash: Uint8Array) => live.hashes.has(hash, 0) || survey.placed.has(hash, 0);
  const marked = new Map<Digest, Place>();
  const removed = new Map<Digest, Place>();
  const later = new Map<Digest, Place>();
  const collect = (indexes: readonly IndexObject[], into: Map<Digest, Place>, ...not: Map<Digest, Place>[]) => {
    for (const index of indexes) {
      for (let i = 0; i < index.count; i++) {
        if (isLive(index.hash(i))) continue;
        const digest = index.digest(i);
        if (not.every((other) => !other.has(digest))) into.set(digest, index.place(i));
      }
    }
  };
  collect(survey.rewritten, marked);
  collect(waiting, later, marked);
  collect(expired, removed, marked, later);
  const gone = new Map([...marked, ...removed, ...later]);
  const pieces = await piecesOf(reading, gone.values());
  const isObject = ([digest]: readonly [Digest, Place]) => !pieces.has(hashOf(digest), 0);
  const uses = await namesFor(reading, request.names, new Set(gone.keys()), isLive);
  const objects = (some: ReadonlyMap<Digest, Place>): RemoteObject[] =>
    [...some]
      .filter((one) => isObject(one) || uses.has(one[0]))
      .map(([digest, { size }]) => {
        return { digest, size, use: uses.get(digest) };
      });
  const { grace } = reading.session.times;
  const due = [...waiting.map(({ head }) => head.marked?.at ?? 0), ...plan.dropped.map(({ at }) => at)]
    .map((at) => at + grace)
    .filter((at) => at > plan.now);
  if (survey.marked.count > 0) due.push(plan.now + grace);
  return {
    marks: objects(marked),
    removes: objects(removed),
    waiting: total(objects(later)),
    due: due.length === 0 ? undefined : Math.max(...due),
    kept: keptOf(reading, plan),
    packs: packsOf(doomed),
    unnamed: packsOf(plan.unnamed),
    copied: survey.copies.reduce((sum, { place }) => sum + place.stored, 0),
    records: plan.records.length,
    checkpoints: {
      runs: new Set(plan.checkpoints.map(({ key }) => runOfKey(key))).size,
      bytes: plan.checkpoints.reduce((sum, { size }) => sum + size, 0),
    },
    pushing: plan.pushing,
    lost: plan.lost,
  };
}

function packsOf(packs: Plan['doomed']) {
  return { count: packs.length, bytes: packs.reduce((sum, { size }) => sum + size, 0) };
}

function total(objects: readonly RemoteObject[]): Amount {
  return { objects: objects.length, bytes: objects.reduce((sum, { size }) => sum + size, 0) };
}

function keptOf({ catalog }: Reading, { live, survey }: Plan): Amount {
  const counted = new HashSet();
  let bytes = 0;
  for (const index of catalog.inForce) {
    for (let i = 0; i < index.count; i++) {
      const hash = index.hash(i);
      if (!survey.placed.has(hash, 0) || live.pieces.has(hash, 0) || !counted.add(hash, 0)) continue;
      bytes += index.place(i).size;
    }
  }
  return { objects: counted.size, bytes };
}

/** The pieces of what is large among things that go; a list that can't be read has none. */
async function piecesOf({ session }: Reading, places: Iterable<Place>): Promise<HashSet> {
  const pieces = new HashSet();
  const lists = [...places].filter(({ kind }) => kind !== KIND.bytes);
  await readEntries(
    session,
    lists.map((place) => ({
      places: [place],
      check: (content: Uint8Array) => piecesIn(content, place) !== undefined,
      take: (content: Uint8Array) => {
        for (const { hash } of piecesIn(content, place) ?? []) pieces.add(hash, 0);
      },
      refuse: () => {},
    })),
  );
  return pieces;
}

type Uses = Map<Digest, NonNullable<RemoteObject['use']>>;

/** The paths by which things were known. What lies in a folder that stays, stays: only the others are looked into. */
async function namesFor(
  reading: Reading,
  roots: readonly NamedRoot[],
  wanted: ReadonlySet<Digest>,
  isLive: (hash: Uint8Array) => boolean,
): Promise<Uses> {
  const uses: Uses = new Map();
  if (wanted.size === 0) return uses;
  const seen = new Set<Digest>();
  type Visit = NonNullable<RemoteObject['use']>;
  let level = new Map<Digest, Visit>();
  const visit = (digest: Digest, use: Visit, next: Map<Digest, Visit>): void => {
    if (wanted.has(digest) && !uses.has(digest)) uses.set(digest, use);
    if (use.kind === 'file' || seen.has(digest) || isLive(hashOf(digest))) return;
    seen.add(digest);
    next.set(digest, use);
  };
  for (const { path, artifact, from } of roots) {
    visit(artifact.digest, { path, kind: artifact.kind, ...(from === undefined ? {} : { from }) }, level);
  }
  while (level.size > 0 && uses.size < wanted.size) {
    const below = new Map<Digest, Visit>();
    const open: Parameters<typeof openTrees>[2] = (digest, entries) => {
      const above = level.get(digest);
      for (const entry of entries) {
        if (entry.kind === 'symlink' || above === undefined) continue;
        visit(entry.digest, { ...above, path: under(above.path, entry.name), kind: entry.kind }, below);
      }
    };
    await openTrees(reading, [...level.keys()], open, () => {});
    level = below;
  }
  return uses;
}
