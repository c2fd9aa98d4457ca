import { join } from 'node:path';
import type { Artifact } from '@dag/model';
import { FailureError } from '@dag/model';
import type { Store } from '@dag/store';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { runs } from '../../../test/fuzz.ts';
import { ANSWERS } from '../../../test/rigs/fault-answers.ts';
import type { Fault, Seen } from '../../../test/rigs/fault-proxy.ts';
import { faultProxyPerGroup, s3PerGroup } from '../../../test/rigs/per-group.ts';
import { needS3 } from '../../../test/rigs/s3.ts';
import { openRemote, type Remote } from '../src/index.ts';
import { NOWHERE } from '../src/transfer/words.ts';
import {
  addFolder,
  type Content,
  contentOf,
  expectClosed,
  freshFolder,
  freshStore,
  generator,
  manyFiles,
  noise,
  remoteAt,
  removeFolders,
  runRecord,
} from './support.ts';

const FAULTS: readonly Fault[] = [
  ...(Object.keys(ANSWERS) as (keyof typeof ANSWERS)[]),
  ...(['reset', 'cut-request', 'corrupt-request', 'twice', 'no-range', 'other-range', 'lost-answer'] as const),
  ...(['cut', 'stall', 'trickle', 'short', 'long', 'corrupt', 'stale'] as const),
];

/** Something that one of several people does through the proxy. */
const step = fc.record({
  who: fc.nat(1),
  what: fc.constantFrom('push', 'push', 'fetch', 'presence', 'records', 'check'),
  version: fc.nat(3),
});
const scenario = fc.record({
  rate: fc.constantFrom(0.03, 0.1, 0.3),
  faults: fc.subarray([...FAULTS], { minLength: 1 }),
  seed: fc.nat(),
  steps: fc.array(step, { minLength: 3, maxLength: 7 }),
});

describe('any faults, at any time', () => {
  afterAll(() => removeFolders());
  const server = s3PerGroup();
  const proxy = faultProxyPerGroup(server);
  let places = 0;
  beforeEach((context) => needS3(context));

  test('never a wrong byte, never a lie about what is there; what a push called done can be fetched', async () => {
    const property = fc.asyncProperty(scenario, async ({ rate, faults, seed, steps }) => {
      const prefix = `fuzz-${places++}`;
      const url = `s3://bucket/${prefix}`;
      const people = [newPerson(url), newPerson(url)];
      const versions = [0, 1, 2, 3].map((version) => contentFor(seed, version));
      const promised = new Map<number, Artifact>();
      const recorded = new Map<number, ReturnType<typeof runRecord>>();
      proxy.setFaults(troubleMaker(generator(seed), rate, faults));
      for (const { who, what, version } of steps) {
        const { store, remote } = await (people[who] as Promise<Person>);
        const artifact = await addFolder(store, versions[version] as Content);
        const roots = [{ path: 'data', artifact }];
        const record = runRecord(`{"of":"${seed} ${version}"}`, { data: artifact }, '2026-01-01T00:00:00.000Z');
        await orFailure(async () => {
          if (what === 'push') {
            const report = await remote.push({ roots }, store);
            expect(report.failed).toEqual([]);
            promised.set(version, artifact);
          } else if (what === 'records') {
            const report = await remote.push({ roots, records: [record] }, store);
            expect(report.failed).toEqual([]);
            promised.set(version, artifact);
            recorded.set(version, record);
            for (const found of await remote.findRuns(record.key)) expect(found).toEqual(record);
          } else if (what === 'presence') {
            const there = await remote.presence([artifact.digest]);
            if (promised.has(version)) expect(there.size).toBe(1);
          } else if (what === 'check') {
            const { damaged, needing } = await remote.check();
            expect({ damaged, needing }).toEqual({ damaged: [], needing: [] });
          } else {
            await fetchAnew(remote, roots, versions[version] as Content, promised.has(version));
          }
        });
      }
      proxy.setFaults(() => undefined);
      await expectClosed(join(server.folder, prefix));
      const plain = await remoteAt({ url }, server.env);
      for (const [version, artifact] of promised) {
        expect(await plain.presence([artifact.digest])).toEqual(new Set([artifact.digest]));
        await fetchAnew(plain, [{ path: 'data', artifact }], versions[version] as Content, true, []);
      }
      for (const record of recorded.values()) expect(await plain.findRuns(record.key)).toEqual([record]);
      for (const person of people) (await person).remote.close();
      plain.close();
      removeFolders();
    });
    await fc.assert(property, { numRuns: runs(20), endOnFailure: true });
  });

  interface Person {
    readonly store: Store;
    readonly remote: Remote;
  }

  /** Their own cache, and copies of the index. */
  async function newPerson(url: string): Promise<Person> {
    const config = { name: 'store', url, endpoint: proxy.endpoint, timeout: 250 };
    const [root, copies] = [freshFolder(), freshFolder()];
    const remote = await openRemote(config, { env: server.env, root, copies, retry: { wait: async () => {} } });
    return { store: freshStore(), remote };
  }
});

/** Some small files and a large one; versions of one seed have much in common. */
function contentFor(seed: number, version: number): Content {
  const large = Buffer.from(noise(2_500_000, `${seed}`));
  noise(1000, `${seed} ${version}`).copy(large, 700_000 * version);
  return { same: manyFiles(20, `${seed}`), own: manyFiles(3, `${seed} ${version}`), large };
}

/** Draws faults. Of two lists in a row one is not lied about: what is called missing is looked for twice. */
function troubleMaker(random: () => number, rate: number, faults: readonly Fault[]): (seen: Seen) => Fault | undefined {
  let lied = false;
  return ({ url }) => {
    const fault = random() < rate ? faults[Math.floor(random() * faults.length)] : undefined;
    if (!url.includes('list-type=')) return fault;
    const lies = fault === 'stale' || fault === 'corrupt';
    if (lies && lied) return undefined;
    lied = lies;
    return fault;
  };
}

/** What is tried may fail as a whole, in a user's words and no others. */
async function orFailure(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    expect(error.failure).toMatchObject({ code: 'remote', hint: expect.any(String) });
  }
}

/** Into an empty cache. What comes is right and counted, what does not come is named. */
async function fetchAnew(
  remote: Remote,
  roots: readonly { path: string; artifact: Artifact }[],
  content: Content,
  isThere: boolean,
  failed?: readonly unknown[],
): Promise<void> {
  const store = freshStore();
  try {
    const report = await remote.fetch({ roots }, store);
    if (failed !== undefined) expect(report.failed).toEqual(failed);
    if (isThere) expect(report.failed.filter(({ reason }) => reason === NOWHERE)).toEqual([]);
    expect(report.objects).toBe([...store.list()].length);
    if (report.failed.length > 0) return;
    const original = freshStore();
    const { digest } = await addFolder(original, content);
    expect(contentOf(store, digest)).toEqual(contentOf(original, digest));
  } finally {
    for (const { digest } of store.list()) expect(store.check(digest)).toBeUndefined();
  }
}
