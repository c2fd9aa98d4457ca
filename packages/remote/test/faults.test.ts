import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Fault, type FaultProxy, startFaultProxy } from '../../../test/rigs/fault-proxy.ts';
import { missingS3, needS3, type S3Server, startS3 } from '../../../test/rigs/s3.ts';
import { addFolder, contentOf, failureOf, freshStore, manyFiles, noise, remoteAt, removeFolders } from './support.ts';

const SEEDS = [1, 2, 3, 4, 5, 6];
const FAULTS: readonly Fault[] = ['busy', 'reset', 'lost-answer', 'cut', 'short', 'corrupt'];

/** A small generator of numbers in [0, 1), the same for the same seed (Mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

describe('behind a proxy that makes trouble', () => {
  let server: S3Server;
  let proxy: FaultProxy;
  beforeEach((context) => needS3(context));
  beforeAll(async () => {
    if (missingS3() !== undefined) return;
    server = await startS3();
    proxy = await startFaultProxy(server.endpoint);
  });
  afterAll(async () => {
    await proxy?.close();
    await server?.remove();
    removeFolders();
  });
  const remoteThrough = (url: string) => remoteAt({ url, endpoint: proxy.endpoint }, server.env);
  const direct = (url: string) => remoteAt({ url }, server.env);

  test.each(SEEDS)(
    'every kind of fault, now and then: never a wrong byte, never a false success (seed %i)',
    async (seed) => {
      const url = `s3://bucket/seed-${seed}`;
      const store = freshStore();
      const artifact = await addFolder(store, {
        ...manyFiles(150, `seed ${seed}`),
        big: noise(40 * 1024 * 1024, `${seed}`),
      });
      const roots = [{ path: 'data', artifact }];
      const random = generator(seed);
      proxy.setFaults(({ url: requested }) => {
        if (random() >= 0.15) return undefined;
        const fault = FAULTS[Math.floor(random() * FAULTS.length)];
        // What is no pack and no index has no digest: the wire's own checksum is all that guards it.
        return /\/(packs|index)\//.test(requested) ? fault : 'busy';
      });
      const remote = await remoteThrough(url);
      for (let tries = 0; tries < 20; tries++) {
        const report = await remote.push({ roots }, store).catch((error: { failure?: { code: string } }) => {
          expect(error.failure?.code).toBe('remote');
          return undefined;
        });
        if (report !== undefined) {
          expect(report.failed).toEqual([]);
          break;
        }
        expect(tries).toBeLessThan(19);
      }
      // What push called a success is whole for a client that sees no faults.
      const plain = freshStore();
      expect((await (await direct(url)).fetch({ roots }, plain)).failed).toEqual([]);
      expect(contentOf(plain, artifact.digest)).toEqual(contentOf(store, artifact.digest));

      const other = freshStore();
      for (let tries = 0; tries < 20; tries++) {
        const report = await remote.fetch({ roots }, other).catch((error: { failure?: { code: string } }) => {
          expect(error.failure?.code).toBe('remote');
          return undefined;
        });
        for (const { digest } of other.list()) expect(other.check(digest)).toBeUndefined();
        if (report?.failed.length === 0) break;
        expect(tries).toBeLessThan(19);
      }
      expect(contentOf(other, artifact.digest)).toEqual(contentOf(store, artifact.digest));
    },
  );

  test('a passing failure is tried again, and told', async () => {
    const store = freshStore();
    const artifact = await addFolder(store, { x: 'tried again' });
    const roots = [{ path: 'data', artifact }];
    const failedOnce = new Set<string>();
    proxy.setFaults(({ method, url }) => {
      if (method !== 'PUT' || failedOnce.has(url)) return undefined;
      failedOnce.add(url);
      return 'lost-answer';
    });
    const retries: string[] = [];
    const remote = await remoteThrough('s3://bucket/again');
    const report = await remote.push({ roots }, store, {
      onEvent: (event) => {
        if (event.kind === 'retry') retries.push(event.reason);
      },
    });
    expect(report).toMatchObject({ objects: 2, failed: [] });
    expect(retries.length).toBeGreaterThanOrEqual(3);
  });

  test('a refusal is not tried again', async () => {
    proxy.setFaults(() => undefined);
    const before = proxy.seen.length;
    const remote = await remoteAt({ url: 's3://no-such-bucket', endpoint: proxy.endpoint }, server.env);
    await failureOf(remote.presence([]));
    expect(proxy.seen.length - before).toBe(1);
  });

  test('a server that only ever fails gives a clear failure in the end', async () => {
    const store = freshStore();
    const artifact = await addFolder(store, { x: 'never' });
    const roots = [{ path: 'data', artifact }];
    const remote = await remoteThrough('s3://bucket/never');
    for (const fault of ['busy', 'reset', 'lost-answer'] as const) {
      proxy.setFaults(() => fault);
      const failure = await failureOf(remote.push({ roots }, store));
      expect(failure.code).toBe('remote');
      expect(failure.message).toContain('it keeps failing or breaking off');
    }
    proxy.setFaults(({ method, url }) => (method === 'PUT' && url.includes('/packs/') ? 'busy' : undefined));
    expect((await failureOf(remote.push({ roots }, store))).message).toContain('SlowDown');
    proxy.setFaults(() => undefined);
    expect(await remote.presence([artifact.digest])).toEqual(new Set());
  });

  test('objects that always come damaged are named, and none of them enters the store', async () => {
    const store = freshStore();
    // Two megabytes apart, so that they are not read together.
    const artifact = await addFolder(store, {
      a: 'always damaged on its way',
      f: noise(2_000_000, 'between'),
      x: 'fine',
    });
    const roots = [{ path: 'data', artifact }];
    const remote = await remoteThrough('s3://bucket/damaged');
    proxy.setFaults(() => undefined);
    await remote.push({ roots }, store);
    for (const fault of ['corrupt', 'short'] as const) {
      const other = freshStore();
      // The trees are read first, then the files.
      let packs = 0;
      proxy.setFaults(({ url }) => (url.includes('/packs/') && ++packs > 1 ? fault : undefined));
      const report = await remote.fetch({ roots }, other);
      expect(report.failed.length).toBeGreaterThan(0);
      for (const { path, reason } of report.failed) {
        expect(['data/a', 'data/f', 'data/x']).toContain(path);
        expect(reason).toContain('damaged in the remote');
      }
      for (const { digest } of other.list()) expect(other.check(digest)).toBeUndefined();
    }
    proxy.setFaults(() => undefined);
    const other = freshStore();
    expect((await remote.fetch({ roots }, other)).failed).toEqual([]);
    expect(contentOf(other, artifact.digest)).toEqual(contentOf(store, artifact.digest));
  });

  test('how many requests things take', async () => {
    const store = freshStore();
    const artifact = await addFolder(store, manyFiles(2000, 'requests'));
    const roots = [{ path: 'data', artifact }];
    proxy.setFaults(() => undefined);
    const count = async (work: () => Promise<unknown>) => {
      const before = proxy.seen.length;
      await work();
      return proxy.seen.length - before;
    };
    const remote = await remoteThrough('s3://bucket/requests');
    // Marker (get, put), list, one pack of files and trees, list again, index; its name for who can't list, and list again.
    expect(await count(() => remote.push({ roots }, store))).toBe(8);
    expect(await count(() => remote.push({ roots }, store))).toBe(1);
    const another = await remoteThrough('s3://bucket/requests');
    // Marker, list, index, and the same again with the index known.
    expect(await count(() => another.presence([artifact.digest]))).toBe(3);
    expect(await count(() => another.presence([artifact.digest]))).toBe(1);
    // List; the upper tree, those below it, the files.
    expect(await count(() => another.fetch({ roots }, freshStore()))).toBe(4);
  });
});
