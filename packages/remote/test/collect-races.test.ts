import type { Artifact, Digest } from '@dag/model';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { runs } from '../../../test/fuzz.ts';
import { prepareCodec } from '../src/chunk/codec.ts';
import { remove } from '../src/collect/collect.ts';
import { Catalog } from '../src/index/catalog.ts';
import { noCopies } from '../src/index/copies.ts';
import { push } from '../src/transfer/push.ts';
import { DEFAULT_RETRY } from '../src/transfer/retry.ts';
import { startSession } from '../src/transfer/session.ts';
import { addFile, addFolder, type Content, freshStore, noise, removeFolders, runRecord } from './support.ts';
import { VirtualRemote } from './virtual.ts';

// Pushers and collectors whose calls are let through in any order, at any time, and who may be killed between any two. After
// each single change of the storage it must hold that whoever finds something finds all that it needs, and that all
// that was pushed and is still protected is there.

const HOUR = 3600 * 1000;
const DAY = 24 * HOUR;
const ROOTS = 14 * DAY;

afterAll(removeFolders);

type Step =
  | { readonly do: 'push'; readonly who: number; readonly what: number; readonly record: boolean }
  | { readonly do: 'collect'; readonly who: number; readonly keep: readonly number[] }
  | { readonly do: 'go'; readonly picks: readonly number[] }
  | { readonly do: 'wait'; readonly hours: number; readonly picks: readonly number[] }
  | { readonly do: 'kill'; readonly who: number };

const PUSHERS = 3;
const who = fc.nat(PUSHERS + 1);
const pick = fc.nat(99).map((n) => n / 100);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('push' as const),
      who: fc.nat(PUSHERS - 1),
      what: fc.nat(9),
      record: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('collect' as const),
      who: fc.integer({ min: PUSHERS, max: PUSHERS + 1 }),
      keep: fc.array(fc.nat(9), { maxLength: 3 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant('go' as const), picks: fc.array(pick, { minLength: 1, maxLength: 30 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      hours: fc.constantFrom(1, 6, 11, 13, 25, 25, 15 * 24),
      picks: fc.array(pick, { minLength: 1, maxLength: 10 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('kill' as const), who }) },
);

const store = freshStore();
const artifacts: Artifact[] = [];
const large = noise(2_500_000, 'large');

async function makeArtifacts(): Promise<void> {
  await prepareCodec();
  const part = (seed: string): Content => ({ a: `a of ${seed}`, b: `b of ${seed}` });
  const contents: Content[] = [
    { p: part('1'), q: part('2'), own: '0' },
    { p: part('2'), q: { deep: part('1') }, own: '1' },
    { deep: { er: part('1') }, p: part('3') },
    { p: part('3'), own: '3' },
    { p: part('4'), q: part('3') },
    { p: part('5'), r: { p: part('4'), q: part('5') } },
    { big: large, p: part('1') },
    { big: Buffer.concat([large.subarray(0, 2_400_000), Buffer.from('changed')]), q: part('2') },
  ];
  for (const content of contents) artifacts.push(await addFolder(store, content));
  artifacts.push(addFile(store, 'a file'), addFile(store, large));
}

interface Pushed {
  readonly root: Digest;
  readonly at: number;
  readonly by: string;
}

class World {
  readonly remote = new VirtualRemote();
  readonly done: Pushed[] = [];
  readonly errors: unknown[] = [];
  removed = 0;
  readonly #catalogs = new Map<string, Catalog>();

  constructor() {
    this.remote.onChange = (key) => this.check(key);
  }

  idOf(who: number): string {
    return String(who).padStart(64, '0');
  }

  async begin(step: Step & { readonly do: 'push' | 'collect' }): Promise<void> {
    const actor = `${step.who}`;
    if (this.remote.working.has(actor)) return;
    this.remote.working.add(actor);
    const life = this.#life.get(actor) ?? 0;
    const isAlive = () => (this.#life.get(actor) ?? 0) === life;
    try {
      await (step.do === 'push' ? this.#push(step, actor) : this.#collect(step, actor));
    } catch (error) {
      if (isAlive()) this.errors.push(error);
    } finally {
      if (isAlive()) this.remote.working.delete(actor);
    }
  }

  readonly #life = new Map<string, number>();

  kill(actor: string): void {
    this.remote.kill(actor);
    this.#catalogs.delete(actor);
    this.#life.set(actor, (this.#life.get(actor) ?? 0) + 1);
  }

  async #push({ who, what, record }: Step & { readonly do: 'push' }, actor: string): Promise<void> {
    const artifact = artifacts[what] as Artifact;
    const startedAt = new Date(this.remote.now).toISOString();
    const records = record ? [runRecord(`run ${what}`, { out: artifact }, startedAt)] : [];
    const roots = record ? [] : [{ path: 'data', artifact }];
    const at = this.remote.now;
    const report = await push(this.#session(actor, who), this.#catalog(actor), store, { roots, records });
    expect(report.failed).toEqual([]);
    this.done.push({ root: artifact.digest, at, by: this.idOf(who) });
    this.check('pushed');
  }

  async #collect({ who, keep }: Step & { readonly do: 'collect' }, actor: string): Promise<void> {
    const roots = keep.map((i) => ({ path: `${i}`, artifact: artifacts[i] as Artifact }));
    const session = this.#session(actor, who);
    const runs = { before: this.remote.now - 30 * DAY, dropped: false, project: '' };
    const request = { roots, runs, names: [] };
    const report = await remove(session, this.#catalog(actor), freshEmpty, request);
    this.removed += report.removes.length;
  }

  #session(actor: string, who: number) {
    const surroundings = { now: () => this.remote.now, by: this.idOf(who) };
    return startSession(this.remote.storageOf(actor), { ...DEFAULT_RETRY, attempts: 1 }, {}, surroundings);
  }

  /** An actor keeps what it knows of the index, as one process does. */
  #catalog(actor: string): Catalog {
    const known = this.#catalogs.get(actor) ?? new Catalog(noCopies);
    this.#catalogs.set(actor, known);
    return known;
  }

  check(why: string): void {
    const needs = this.remote.contents();
    for (const [digest, children] of needs) {
      for (const child of children) {
        if (!needs.has(child)) throw new Error(`${why}: ${digest} needs ${child}, which no index names`);
      }
    }
    for (const { root, at, by } of this.done) {
      // A collector heeds what others pushed; these are no pushers' clones.
      if (this.remote.now - at >= ROOTS / 2 - DAY) continue;
      if (!needs.has(root)) throw new Error(`${why}: ${root}, pushed by ${by}, is gone`);
    }
  }
}

const freshEmpty = freshStore();

test('nothing that is found lacks anything, and nothing that is in use is lost, in whatever order calls go through', async () => {
  await makeArtifacts();
  let removed = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }), async (steps) => {
      const world = new World();
      const { remote } = world;
      let broken: unknown;
      remote.onChange = (key, how) => {
        try {
          world.check(`${how} ${key}`);
        } catch (error) {
          broken ??= error;
        }
      };
      for (const step of steps) {
        if (step.do === 'push' || step.do === 'collect') void world.begin(step);
        else if (step.do === 'kill') world.kill(`${step.who}`);
        else {
          let i = 0;
          const next = () => step.picks[i++ % step.picks.length] ?? 0;
          if (step.do === 'wait') await remote.advance(step.hours * HOUR, next);
          else for (const pick of step.picks) await remote.step(pick);
        }
        if (broken !== undefined) throw broken;
      }
      await remote.drain(() => 0);
      if (broken !== undefined) throw broken;
      for (const error of world.errors) {
        // Half a day in one push, or a collector that others disturb, is refused in words.
        if (!(error instanceof Error) || !/half a day|others change/.test(error.message)) throw error;
      }
      removed += world.removed;
    }),
    { numRuns: runs(150), endOnFailure: true },
  );
  expect(removed).toBeGreaterThan(0);
});
