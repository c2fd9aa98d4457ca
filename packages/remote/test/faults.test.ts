import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { Fault } from '../../../test/rigs/fault-proxy.ts';
import { faultProxyPerGroup, s3PerGroup } from '../../../test/rigs/per-group.ts';
import { needS3 } from '../../../test/rigs/s3.ts';
import { openRemote } from '../src/index.ts';
import {
  addFile,
  addFolder,
  contentOf,
  expectClosed,
  failureOf,
  freshFolder,
  freshStore,
  generator,
  manyFiles,
  noise,
  readIndexes,
  remoteAt,
  removeFolders,
} from './support.ts';

const SEEDS = [1, 2];
const FAULTS: readonly Fault[] = ['busy', 'reset', 'lost-answer', 'cut', 'short', 'corrupt'];

describe('behind a proxy that makes trouble', () => {
  afterAll(() => removeFolders());
  const server = s3PerGroup();
  const proxy = faultProxyPerGroup(server);
  beforeEach((context) => needS3(context));
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

  test('a passing failure is tried again, and told; what was done though nobody heard of it is not', async () => {
    const store = freshStore();
    const puts = (from: number) =>
      proxy.seen.slice(from).filter(({ method, url }) => method === 'PUT' && !url.includes('names.json')).length;
    const count = async (fault: Fault, name: string) => {
      const artifact = await addFolder(store, { x: `tried again after ${name}` });
      const failedOnce = new Set<string>();
      proxy.setFaults(({ method, url }) => {
        if (method !== 'PUT' || !/\.(pack|index)\b/.test(url) || failedOnce.has(url)) return undefined;
        failedOnce.add(url);
        return fault;
      });
      const retries: string[] = [];
      const before = proxy.seen.length;
      const report = await (await remoteThrough(`s3://bucket/${name}`)).push(
        { roots: [{ path: 'data', artifact }] },
        store,
        { onEvent: (event) => event.kind === 'retry' && retries.push(event.reason) },
      );
      expect(report).toMatchObject({ objects: 2, failed: [] });
      return [retries.length, puts(before)];
    };
    // The marker, a pack, an index; before a pack or an index is sent again, the marker shows that it is allowed.
    expect(await count('reset', 'reset')).toEqual([2, 3 + 2 + 2]);
    expect(await count('busy', 'busy')).toEqual([2, 3 + 2]);
    expect(await count('corrupt-request', 'corrupt-request')).toEqual([2, 3 + 2]);
    expect(await count('lost-answer', 'lost-answer')).toEqual([0, 3]);
    expect(await count('twice', 'twice')).toEqual([0, 3]);
  });

  test.each([
    ['denied', 'the credentials do not allow writing (AccessDenied: Access Denied)'],
    ['expired', 'the credentials have run out (ExpiredToken: The provided token has expired.)'],
    ['skewed', "this machine's clock and the server's differ too much (RequestTimeTooSkewed"],
    ['redirect', 'the bucket is in another region'],
    ['moved', 'the bucket is in another region'],
  ] as const)('%s: one request, one clear failure', async (fault, message) => {
    const store = freshStore();
    const roots = [{ path: 'data', artifact: await addFolder(store, { x: fault }) }];
    const remote = await remoteThrough(`s3://bucket/${fault}`);
    proxy.setFaults(() => fault);
    const before = proxy.seen.length;
    expect((await failureOf(remote.push({ roots }, store))).message).toContain(message);
    // The SDK follows the bucket to the region that it was told, once.
    expect(proxy.seen.length - before).toBe(fault === 'moved' ? 2 : 1);
    proxy.setFaults(({ url }) => (url.includes('/packs/') ? fault : undefined));
    expect((await failureOf(remote.push({ roots }, store))).message).toContain(message);
    expect(proxy.seen.filter(({ url }) => url.includes(`${fault}/packs/`))).toHaveLength(fault === 'moved' ? 2 : 1);
  });

  test.each(['garbage', 'log-in-page', 'no-page', 'bad-gateway', 'stumbled'] as const)(
    'something else answers, %s: nothing is taken for done or for absent',
    async (fault) => {
      const store = freshStore();
      const roots = [{ path: 'data', artifact: await addFolder(store, { x: fault }) }];
      const remote = await remoteThrough(`s3://bucket/${fault}`);
      for (const part of ['/packs/', '/index/', 'list-type', 'dag-remote.json']) {
        proxy.setFaults(({ url }) => (url.includes(part) ? fault : undefined));
        const failure = await failureOf((await remoteThrough(`s3://bucket/${fault}`)).push({ roots }, store));
        expect(failure.message).toContain('it keeps failing or breaking off');
      }
      proxy.setFaults(() => undefined);
      expect(await remote.presence([roots[0]?.artifact.digest as never])).toEqual(new Set());
      expect(await remote.push({ roots }, store)).toMatchObject({ objects: 2, failed: [] });
      for (const part of ['/packs/', '/index/', 'list-type', 'dag-remote.json']) {
        proxy.setFaults(({ url }) => (url.includes(part) ? fault : undefined));
        const failure = await failureOf((await remoteThrough(`s3://bucket/${fault}`)).fetch({ roots }, freshStore()));
        expect(failure.message).toContain('it keeps failing or breaking off');
      }
    },
  );

  test('pauses grow, differ, and are as long as the server asks for', async () => {
    const store = freshStore();
    const roots = [{ path: 'data', artifact: await addFolder(store, { x: 'pauses' }) }];
    const pausesFor = async (fault: Fault, random: () => number) => {
      const pauses: number[] = [];
      const wait = async (ms: number) => void pauses.push(ms);
      const config = { name: 'store', url: 's3://bucket/pauses', endpoint: proxy.endpoint };
      const remote = await openRemote(config, { env: server.env, root: freshFolder(), retry: { wait, random } });
      proxy.setFaults(() => fault);
      await failureOf(remote.push({ roots }, store));
      return pauses;
    };
    expect(await pausesFor('busy', () => 0)).toEqual([100, 200, 400, 800, 1600]);
    expect(await pausesFor('busy', () => 0.5)).toEqual([150, 300, 600, 1200, 2400]);
    expect(await pausesFor('reset', () => 0.5)).toEqual([150, 300, 600, 1200, 2400]);
    expect(await pausesFor('throttled', () => 0)).toEqual([2100, 2200, 2400, 2800, 3600]);
    expect(await pausesFor('busy-for-a-while', () => 0)).toEqual([7100, 7200, 7400, 7800, 8600]);
  });

  test.each(['stall', 'trickle'] as const)('a body that does not come, %s, is asked for again', async (fault) => {
    const store = freshStore();
    const artifact = await addFolder(store, { x: noise(100_000, fault) });
    const roots = [{ path: 'data', artifact }];
    proxy.setFaults(() => undefined);
    await (await remoteThrough(`s3://bucket/${fault}`)).push({ roots }, store);
    const config = { url: `s3://bucket/${fault}`, endpoint: proxy.endpoint, timeout: 200 };
    const late = new Set<string>();
    proxy.setFaults(({ url }) => {
      if (late.has(url)) return undefined;
      late.add(url);
      return fault;
    });
    const other = freshStore();
    expect((await (await remoteAt(config, server.env)).fetch({ roots }, other)).failed).toEqual([]);
    expect(contentOf(other, artifact.digest)).toEqual(contentOf(store, artifact.digest));
    proxy.setFaults(({ url }) => (url.includes('/packs/') ? fault : undefined));
    const failure = await failureOf((await remoteAt(config, server.env)).fetch({ roots }, freshStore()));
    expect(failure.message).toContain('it keeps failing or breaking off (TimeoutError');
  });

  test('a server that gives the whole where a part was asked for', async () => {
    const store = freshStore();
    const artifact = await addFolder(store, { ...manyFiles(50, 'whole'), big: noise(3_000_000, 'whole') });
    const roots = [{ path: 'data', artifact }];
    const remote = await remoteThrough('s3://bucket/whole');
    proxy.setFaults(() => undefined);
    await remote.push({ roots }, store);
    proxy.setFaults(() => 'no-range');
    const other = freshStore();
    expect((await remote.fetch({ roots }, other)).failed).toEqual([]);
    expect(contentOf(other, artifact.digest)).toEqual(contentOf(store, artifact.digest));
    proxy.setFaults(({ url }) => (url.includes('/packs/') ? 'other-range' : undefined));
    const failure = await failureOf(remote.fetch({ roots }, freshStore()));
    expect(failure.message).toContain('another part came than was asked for');
  });

  test('credentials that run out in mid-transfer: what was sent under an index is not sent again', async () => {
    const store = freshStore();
    const roots = ['a', 'b', 'c'].map((path) => ({ path, artifact: addFile(store, noise(150 << 20, path)) }));
    const remote = await remoteThrough('s3://bucket/run-out');
    let first: string | undefined;
    proxy.setFaults(({ method, url }) => {
      if (first !== undefined) return url === first ? undefined : 'expired';
      if (method === 'PUT' && url.includes('.index')) first = url;
      return undefined;
    });
    const failure = await failureOf(remote.push({ roots }, store));
    expect(failure.message).toContain('the credentials have run out (ExpiredToken');
    expect(failure.hint).toContain('aws sso login');
    const named = new Set(
      readIndexes(`${server.folder}/run-out`).flatMap(({ packs }) => packs.map(({ name }) => name)),
    );
    expect(named.size).toBeGreaterThan(10);
    proxy.setFaults(() => undefined);
    const before = proxy.seen.length;
    expect((await (await remoteThrough('s3://bucket/run-out')).push({ roots }, store)).failed).toEqual([]);
    const sent = proxy.seen.slice(before).filter(({ method, url }) => method === 'PUT' && url.includes('/packs/'));
    // 29 packs would hold all of it; those that end a batch are not full.
    expect(sent.length).toBeLessThanOrEqual(29 + 2 - named.size);
    await expectClosed(`${server.folder}/run-out`);
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
