import { type Artifact, type Digest, digestHex } from '@dag/model';
import { hashOf } from '@dag/store';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { runs } from '../../../test/fuzz.ts';
import { prepareCodec } from '../src/chunk/codec.ts';
import { remove } from '../src/collect/collect.ts';
import { Catalog } from '../src/index/catalog.ts';
import { noCopies } from '../src/index/copies.ts';
import { fetch } from '../src/transfer/fetch.ts';
import { push } from '../src/transfer/push.ts';
import { DEFAULT_RETRY } from '../src/transfer/retry.ts';
import { type Session, startSession } from '../src/transfer/session.ts';
import { addFile, addFolder, type Content, freshStore, noise, removeFolders } from './support.ts';
import { VirtualRemote } from './virtual.ts';

// Random histories of clones that share a remote, one thing after the other, and an oracle that never asks the program what
// it keeps: after each step, what may be relied on and what can be fetched is exactly what the rules of FORMAT.md say.

const HOUR = 3600 * 1000;
const DAY = 24 * HOUR;

afterAll(removeFolders);

type Step =
  | { readonly do: 'push'; readonly who: number; readonly what: number }
  | { readonly do: 'collect'; readonly who: number; readonly keep: readonly number[] }
  | { readonly do: 'wait'; readonly hours: number };

const CLONES = 3;
const ARTIFACTS = 9;
const who = fc.nat(CLONES - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('push' as const), who, what: fc.nat(ARTIFACTS - 1) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('collect' as const),
      who,
      keep: fc.array(fc.nat(ARTIFACTS - 1), { maxLength: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('wait' as const), hours: fc.constantFrom(1, 23, 25, 8 * 24, 15 * 24) }),
  },
);

const store = freshStore();

interface Known {
  readonly artifact: Artifact;
  /** Itself and all inside. */
  readonly all: ReadonlySet<Digest>;
}

async function makeArtifacts(): Promise<Known[]> {
  await prepareCodec();
  const part = (seed: string): Content => ({ a: `a of ${seed}`, b: `b of ${seed}` });
  const big = noise(2_300_000, 'histories');
  const contents: Content[] = [
    { p: part('1'), q: part('2') },
    { p: part('2'), deep: { er: part('1') } },
    { p: part('3'), q: part('2'), own: 'x' },
    { p: part('3') },
    { big, p: part('1') },
    { big: Buffer.concat([big.subarray(0, 2_200_000), Buffer.from('other')]), big2: big },
    { p: { p: part('1'), q: part('2') } },
  ];
  const artifacts: Artifact[] = [];
  for (const content of contents) artifacts.push(await addFolder(store, content));
  artifacts.push(addFile(store, big), addFile(store, 'b of 3'));
  return artifacts.map((artifact) => ({ artifact, all: new Set(inside(artifact.digest, artifact.kind)) }));
}

function* inside(digest: Digest, kind: string): Generator<Digest> {
  yield digest;
  if (kind !== 'folder') return;
  for (const entry of store.readTree(digest)) if (entry.kind !== 'symlink') yield* inside(entry.digest, entry.kind);
}

/** What should be there. */
class Oracle {
  /** What may be relied on. */
  lasting = new Set<Digest>();
  markings: { readonly at: number; readonly what: ReadonlySet<Digest> }[] = [];
  roots: { readonly what: Known; readonly by: number; readonly at: number }[] = [];

  push(what: Known, by: number, now: number): void {
    const isNew = !this.lasting.has(what.artifact.digest);
    const lately = this.roots.filter((one) => one.what === what && now - one.at < 7 * DAY).map((one) => one.by);
    if (isNew || (!lately.includes(by) && new Set(lately).size < 2)) this.roots.push({ what, by, at: now });
    for (const digest of what.all) this.lasting.add(digest);
  }

  collect(keep: readonly Known[], by: number, now: number): void {
    const others = this.roots.filter((one) => one.by !== by && now - one.at < 14 * DAY).map(({ what }) => what);
    const needed = new Set([...keep, ...others].flatMap(({ all }) => [...all]));
    const there = this.readable();
    const gone = new Set([...this.lasting].filter((digest) => !needed.has(digest)));
    this.lasting = new Set([...there].filter((digest) => needed.has(digest)));
    this.markings = this.markings.filter(({ at }) => now - at < DAY);
    if (gone.size > 0) this.markings.push({ at: now, what: gone });
  }

  readable(): Set<Digest> {
    return new Set([...this.lasting, ...this.markings.flatMap(({ what }) => [...what])]);
  }
}

function sessionOf(remote: VirtualRemote, who: number): Session {
  const surroundings = { now: () => remote.now, by: String(who).padStart(64, '0') };
  return startSession(remote.storageOf(`${who}`), { ...DEFAULT_RETRY, attempts: 1 }, {}, surroundings);
}

/** Lets all calls through until the work is done. */
async function through<T>(remote: VirtualRemote, work: Promise<T>): Promise<T> {
  let isDone = false;
  const end = () => {
    isDone = true;
  };
  work.then(end, end);
  while (!isDone) await remote.step(0);
  return await work;
}

test('after each step of a random history exactly that is there which the rules keep', async () => {
  const known = await makeArtifacts();
  const digests = new Set(known.flatMap(({ all }) => [...all]));
  let [removed, refetched] = [0, 0];
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25, size: 'max' }), async (steps) => {
      const remote = new VirtualRemote();
      const oracle = new Oracle();
      const catalogs = Array.from({ length: CLONES + 1 }, () => new Catalog(noCopies));
      const catalogOf = (who: number) => catalogs[who] as Catalog;
      for (const step of steps) {
        if (step.do === 'wait') remote.now += step.hours * HOUR;
        else if (step.do === 'push') {
          const what = known[step.what] as Known;
          const request = { roots: [{ path: 'x', artifact: what.artifact }] };
          const report = await through(remote, push(sessionOf(remote, step.who), catalogOf(step.who), store, request));
          expect(report.failed).toEqual([]);
          oracle.push(what, step.who, remote.now);
        } else {
          const keep = step.keep.map((i) => known[i] as Known);
          const roots = keep.map(({ artifact }, i) => ({ path: `${i}`, artifact }));
          const request = { roots, runs: { before: 0, dropped: false, project: '' }, names: [] };
          const report = await through(
            remote,
            remove(sessionOf(remote, step.who), catalogOf(step.who), store, request),
          );
          removed += report.removes.length;
          oracle.collect(keep, step.who, remote.now);
        }
        const reader = catalogOf(CLONES);
        await through(remote, reader.refresh(sessionOf(remote, CLONES)));
        const hex = (some: Iterable<Digest>) => [...some].map(digestHex).sort();
        expect(hex([...digests].filter((digest) => reader.has(hashOf(digest))))).toEqual(hex(oracle.lasting));
        const readable = [...digests].filter((digest) => reader.find(hashOf(digest)).length > 0);
        expect(hex(readable)).toEqual(hex(oracle.readable()));
        const contents = remote.contents();
        for (const needs of contents.values()) for (const need of needs) expect(contents.has(need)).toBe(true);
      }
      const whole = known.filter(({ all }) => [...all].every((digest) => oracle.readable().has(digest)));
      const roots = whole.map(({ artifact }, i) => ({ path: `${i}`, artifact }));
      const report = await through(
        remote,
        fetch(sessionOf(remote, CLONES), catalogOf(CLONES), freshStore(), { roots }),
      );
      expect(report.failed).toEqual([]);
      refetched += report.objects;
    }),
    { numRuns: runs(60) },
  );
  expect(removed).toBeGreaterThan(0);
  expect(refetched).toBeGreaterThan(0);
});
