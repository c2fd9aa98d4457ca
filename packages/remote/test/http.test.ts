import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { PutBucketPolicyCommand } from '@aws-sdk/client-s3';
import { FailureError } from '@dag/model';
import { encodeRunRecord, hashText } from '@dag/store';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { type Fault, startFaultProxy } from '../../../test/rigs/fault-proxy.ts';
import { perTest } from '../../../test/rigs/per-test.ts';
import { needS3, startS3 } from '../../../test/rigs/s3.ts';
import { startTlsFront } from '../../../test/rigs/tls-front.ts';
import { startWeb, type WebWays } from '../../../test/rigs/web.ts';
import { packKey, recordKey } from '../src/layout.ts';
import {
  addFile,
  addFolder,
  contentOf,
  damage,
  failureOf,
  freshFolder,
  freshStore,
  manyFiles,
  noise,
  readIndexes,
  remoteAt,
  removeFolders,
  runRecord,
} from './support.ts';

afterAll(removeFolders);

/** A remote that is a folder, and the same published by a web server. */
const place = perTest(
  async () => {
    const folder = freshFolder();
    const store = freshStore();
    const web = await startWeb(folder);
    return {
      folder,
      store,
      web,
      written: await remoteAt({ url: folder }),
      read: (env = {}, path = '') => remoteAt({ url: web.url + path, timeout: 2000 }, env),
    };
  },
  ({ web }) => web.close(),
);

const data = async () => [
  { path: 'data', artifact: await addFolder(place.store, { ...manyFiles(300, 'web'), big: noise(9 << 20, 'web') }) },
];

describe('what is published', () => {
  test.each<[string, WebWays]>([
    ['by a server as most are', {}],
    ['by one that gives no parts', { ranges: false }],
    ['by one that packs what it sends', { gzip: true }],
    ['by one that says no lengths', { lengths: false }],
    ['by one that forbids what is not there', { absent: 403 }],
    ['by one that gives a page for what is not there', { absent: 200 }],
  ])('is read, %s', async (_, ways) => {
    Object.assign(place.web.ways, ways);
    const roots = await data();
    const [{ artifact }] = roots as [(typeof roots)[0]];
    await place.written.push({ roots }, place.store);
    const remote = await place.read();
    const other = freshStore();
    expect(await remote.fetch({ roots }, other)).toMatchObject({ failed: [], objects: 305 });
    expect(contentOf(other, artifact.digest)).toEqual(contentOf(place.store, artifact.digest));
    const absent = addFile(place.store, 'never pushed');
    expect(await remote.presence([artifact.digest, absent.digest])).toEqual(new Set([artifact.digest]));
    expect(remote.asOf()).toBeGreaterThan(Date.now() - 60_000);
    const missing = await remote.fetch({ roots: [{ path: 'x', artifact: absent }] }, other);
    expect(missing.failed).toMatchObject([
      { path: 'x', reason: expect.stringMatching(/not in the remote by its list of \d{4}-.* UTC$/) },
    ]);
    expect(await remote.check()).toMatchObject({ damaged: [], remade: { indexes: 0, packs: 0 } });
    remote.close();
  });

  test('a part of a folder costs its listings and itself: six requests, few bytes', async () => {
    const artifact = await addFolder(place.store, { sub: { wanted: 'this one' }, other: noise(5 << 20, 'other') });
    await place.written.push({ roots: [{ path: 'data', artifact }] }, place.store);
    const remote = await place.read();
    await remote.fetch({ roots: [{ path: 'data', artifact, inside: 'sub/wanted' }] }, freshStore());
    // Marker, names, one index, trees of two levels, the file.
    expect(place.web.seen.length).toBeLessThanOrEqual(6);
    expect(place.web.seen.reduce((sum, { sent }) => sum + sent, 0)).toBeLessThan(20_000);
  });

  test('run records are found by key, and listed', async () => {
    const out = addFile(place.store, 'a result');
    const records = [
      runRecord('one', { model: out }, '2026-01-01T00:00:00.000Z'),
      runRecord('two', { model: out }, '2026-01-02T00:00:00.000Z'),
    ];
    await place.written.push({ roots: [], records }, place.store);
    const remote = await place.read();
    for (const record of records) expect(await remote.findRuns(record.key)).toEqual([record]);
    expect(await remote.findRuns(runRecord('three', {}, '').key)).toEqual([]);
    const keys = [];
    for await (const key of remote.listRuns()) keys.push(key);
    expect(keys).toEqual(records.map(({ key }) => key).sort());
    // One that is listed and gone, or a page in its place, is as good as none.
    place.web.ways.absent = 200;
    const [first] = records as [(typeof records)[0]];
    rmSync(join(place.folder, recordKey(first.key, hashText(encodeRunRecord(first)))));
    expect(await (await place.read()).findRuns(first.key)).toEqual([]);
  });

  test('it is only read, and a check of it changes nothing', async () => {
    const roots = await data();
    await place.written.push({ roots }, place.store);
    const remote = await place.read();
    expect(remote.writable).toBe(false);
    expect(await failureOf(remote.push({ roots }, place.store))).toMatchObject({
      code: 'usage',
      message: expect.stringMatching(/^remote 'store' \(http:.*\) is only read: nothing can be sent there/),
    });
    const [pack] = readIndexes(place.folder).flatMap(({ packs }) => packs);
    damage(join(place.folder, packKey(pack?.name ?? '')), 100);
    const names = () => readdirSync(place.folder, { recursive: true }).sort();
    const before = names();
    expect((await remote.check()).damaged).toHaveLength(1);
    expect(names()).toEqual(before);
    expect((await remote.fetch({ roots }, freshStore())).failed).toHaveLength(1);
  });
});

describe('its list of indexes', () => {
  test('is written with the last index, and again where it lags behind or is gone', async () => {
    const names = join(place.folder, 'index/names.json');
    const listed = () => (JSON.parse(readFileSync(names, 'utf8')) as { names: string[] }).names;
    const push = async (text: string) =>
      await place.written.push({ roots: [{ path: 'x', artifact: addFile(place.store, text) }] }, place.store);
    await push('one');
    const first = listed();
    expect(first).toHaveLength(1);
    await push('two');
    expect(listed()).toHaveLength(2);
    rmSync(names);
    await push('two');
    expect(listed()).toHaveLength(2);
    const before = readFileSync(names);
    await push('two');
    expect(readFileSync(names)).toEqual(before);
    // A writer that died before it wrote this.
    rmSync(names);
    writeFileSync(names, JSON.stringify({ at: 1, names: first }), { mode: 0o644 });
    const { utimesSync } = await import('node:fs');
    utimesSync(names, 1000, 1000);
    await push('two');
    expect(listed()).toHaveLength(2);
  });

  test('of eight that push at once, the last leaves a list that has all', async () => {
    const pushes = Array.from({ length: 8 }, async (_, i) => {
      const store = freshStore();
      const remote = await remoteAt({ url: place.folder });
      const artifact = await addFolder(store, { [`of-${i}`]: `${i}`, all: 'the same' });
      await remote.push({ roots: [{ path: `${i}`, artifact }] }, store);
      return artifact.digest;
    });
    const digests = await Promise.all(pushes);
    expect(await (await place.read()).presence(digests)).toEqual(new Set(digests));
  });

  test('that is old loses nothing that it names, and what it does not is said to be missing as of then', async () => {
    const [old, later] = [addFile(place.store, 'old'), addFile(place.store, 'later')];
    await place.written.push({ roots: [{ path: 'old', artifact: old }] }, place.store);
    const names = join(place.folder, 'index/names.json');
    const stale = readFileSync(names);
    await place.written.push({ roots: [{ path: 'later', artifact: later }] }, place.store);
    place.web.ways.before = (request, answer) => {
      if (request.url?.endsWith('names.json') !== true) return false;
      answer.end(stale);
      return true;
    };
    const remote = await place.read();
    const roots = [
      { path: 'old', artifact: old },
      { path: 'later', artifact: later },
    ];
    const other = freshStore();
    const report = await remote.fetch({ roots }, other);
    expect(report.failed).toMatchObject([{ path: 'later', reason: expect.stringContaining('by its list of') }]);
    expect(other.has(old.digest)).toBe(true);
    // Those that it names may be gone.
    for (const file of readdirSync(join(place.folder, 'index'))) {
      if (file.endsWith('.index')) rmSync(join(place.folder, 'index', file));
    }
    const gone = await (await place.read()).fetch({ roots }, freshStore());
    expect(gone.failed.map(({ path }) => path)).toEqual(['old', 'later']);
  });

  test('asks proxies for what is there now, and is looked for anew only there', async () => {
    await place.written.push({ roots: await data() }, place.store);
    const remote = await place.read();
    await remote.fetch({ roots: await data() }, freshStore());
    const fresh = place.web.seen.filter(({ headers }) => headers['cache-control'] === 'no-cache');
    expect(fresh.map(({ path }) => path)).toEqual(['/index/names.json']);
  });

  test.each([
    ['a page', '<html>', 'index/names.json: it is no list of names'],
    ['a list of something else', '[1]', 'index/names.json: it is no list of names'],
  ])('%s in its place is refused', async (_, text, message) => {
    await place.written.push({ roots: await data() }, place.store);
    rmSync(join(place.folder, 'index/names.json'));
    writeFileSync(join(place.folder, 'index/names.json'), text);
    const failure = await failureOf((await place.read()).fetch({ roots: await data() }, freshStore()));
    expect(failure).toMatchObject({ code: 'remote', message: expect.stringContaining(message) });
  });

  test('names that are none lead nowhere', async () => {
    const roots = await data();
    await place.written.push({ roots }, place.store);
    const file = join(place.folder, 'index/names.json');
    const { at, names } = JSON.parse(readFileSync(file, 'utf8'));
    rmSync(file);
    writeFileSync(
      file,
      JSON.stringify({ at, names: ['../../etc/passwd', 7, 'A'.repeat(64), 'a'.repeat(64), ...names] }),
    );
    expect((await (await place.read()).fetch({ roots }, freshStore())).failed).toEqual([]);
    expect(place.web.seen.every(({ path }) => !path.includes('passwd'))).toBe(true);
  });
});

describe('what a user sees when it can not be used', () => {
  const roots = () => [{ path: 'x', artifact: addFile(place.store, 'x') }];
  const failure = async (env = {}, path = '') =>
    await failureOf((await place.read(env, path)).fetch({ roots: roots() }, freshStore()));

  test('nothing is there', async () => {
    expect((await failure({}, '/wrong')).message).toContain('/wrong): there is no remote');
  });

  test('a page for people', async () => {
    place.web.ways.absent = 200;
    expect(await failure()).toMatchObject({
      message: expect.stringContaining('what it answers is not what a remote has (dag-remote.json: it is not JSON)'),
      hint: expect.stringContaining('check the URL'),
    });
  });

  test('a remote that was never published', async () => {
    await place.written.push({ roots: roots() }, place.store);
    rmSync(join(place.folder, 'index/names.json'));
    expect(await failure()).toMatchObject({
      message: expect.stringContaining('never written down'),
      hint: expect.stringContaining('dag push'),
    });
  });

  test('a password, and where it goes', async () => {
    await place.written.push({ roots: roots() }, place.store);
    place.web.ways.auth = `Basic ${Buffer.from('me:hush hush').toString('base64')}`;
    expect(await failure()).toMatchObject({
      message: expect.stringContaining('it does not let us read (401'),
      hint: expect.stringContaining('set DAG_TOKEN_127_0_0_1 to'),
    });
    const env = { DAG_TOKEN_127_0_0_1: 'me:hush hush' };
    expect((await (await place.read(env)).fetch({ roots: roots() }, freshStore())).failed).toEqual([]);
    place.web.ways.auth = 'Bearer a-token';
    const token = { DAG_TOKEN_127_0_0_1: 'a-token' };
    expect((await (await place.read(token)).fetch({ roots: roots() }, freshStore())).failed).toEqual([]);
  });

  test('a password goes over no open wire, and to no host but its own', async () => {
    const env = { DAG_TOKEN_example_org: 'hush hush', DAG_TOKEN_127_0_0_1: 'hush hush' };
    const open = await failureOf(
      (await remoteAt({ url: 'http://example.org/x' }, env)).fetch({ roots: roots() }, freshStore()),
    );
    expect(open).toMatchObject({ code: 'usage', message: expect.stringContaining('unencrypted') });
    expect(JSON.stringify(open)).not.toContain('hush');
    await place.written.push({ roots: roots() }, place.store);
    const elsewhere = await startWeb(place.folder);
    place.web.ways.before = (request, answer) => {
      answer.writeHead(302, { location: `${elsewhere.url.replace('127.0.0.1', 'localhost')}${request.url}` }).end();
      return true;
    };
    expect((await (await place.read(env)).fetch({ roots: roots() }, freshStore())).failed).toEqual([]);
    expect(place.web.seen.every(({ headers }) => headers.authorization === 'Bearer hush hush')).toBe(true);
    expect(elsewhere.seen.length).toBeGreaterThan(3);
    expect(elsewhere.seen.every(({ headers }) => headers.authorization === undefined)).toBe(true);
    await elsewhere.close();
  });

  test('redirects in a circle', async () => {
    place.web.ways.before = (request, answer) => {
      answer.writeHead(301, { location: request.url ?? '' }).end();
      return true;
    };
    expect((await failure()).message).toContain('it redirects in a circle');
  });

  test('a server that stumbles is asked again, one that stays silent is given up', async () => {
    await place.written.push({ roots: roots() }, place.store);
    let asked = 0;
    place.web.ways.before = (_, answer) => {
      if (asked++ % 2 === 1) return false;
      answer.writeHead(503).end();
      return true;
    };
    expect((await (await place.read()).fetch({ roots: roots() }, freshStore())).failed).toEqual([]);
    place.web.ways.before = () => true;
    const before = place.web.seen.length;
    const remote = await remoteAt({ url: place.web.url, timeout: 100, retries: 2 });
    const silent = await failureOf(remote.fetch({ roots: roots() }, freshStore()));
    expect(silent.message).toContain('it keeps failing or breaking off (TimeoutError: nothing came)');
    expect(place.web.seen.length - before).toBe(3);
  });

  test('never a wrong byte, whatever comes: cut, changed, or another object', async () => {
    const some = await data();
    await place.written.push({ roots: some }, place.store);
    let n = 0;
    place.web.ways.before = (request, answer) => {
      if (!request.url?.includes('.pack') || n++ % 3 !== 0) return false;
      const kind = n % 4;
      const [, from = '0', to = '0'] = /(\d+)-(\d+)/.exec(request.headers.range ?? '') ?? [];
      const size = Number(to) - Number(from) + 1;
      const range = { 'content-range': `bytes ${from}-${to}/*`, 'content-length': size };
      if (kind === 0) answer.writeHead(206, range).end(Buffer.alloc(size, 7));
      else if (kind === 1)
        answer.writeHead(206, { ...range, 'content-range': `bytes 1-${size}/*` }).end(Buffer.alloc(size));
      else {
        answer.writeHead(206, range);
        answer.write(Buffer.alloc(Math.ceil(size / 2)), () => request.socket.destroy());
      }
      return true;
    };
    const other = freshStore();
    const report = await (await place.read()).fetch({ roots: some }, other);
    expect(report.failed).toEqual([]);
    const digest = some[0]?.artifact.digest;
    if (digest !== undefined) expect(contentOf(other, digest)).toEqual(contentOf(place.store, digest));
  });
});

describe('a bucket that everybody may read', () => {
  beforeEach((context) => needS3(context));

  test('is read by its URL, though it lists nothing and forbids what is not there', async () => {
    const server = await startS3();
    try {
      const Policy = JSON.stringify({
        Statement: [
          { Effect: 'Allow', Principal: '*', Action: ['s3:GetObject'], Resource: `arn:aws:s3:::${server.bucket}/*` },
        ],
      });
      await server.client.send(new PutBucketPolicyCommand({ Bucket: server.bucket, Policy }));
      const roots = await data();
      const records = [runRecord('public', { data: roots[0]?.artifact as never }, '2026-01-01T00:00:00.000Z')];
      await (await remoteAt({ url: 's3://bucket/some/prefix' }, server.env)).push({ roots, records }, place.store);
      const remote = await remoteAt({ url: `${server.endpoint}/${server.bucket}/some/prefix` });
      const other = freshStore();
      expect(await remote.fetch({ roots }, other)).toMatchObject({ failed: [], objects: 305 });
      expect(await remote.findRuns(records[0]?.key as never)).toEqual(records);
      const absent = addFile(place.store, 'never pushed');
      expect((await remote.fetch({ roots: [{ path: 'x', artifact: absent }] }, other)).failed).toHaveLength(1);
      remote.close();
    } finally {
      await server.remove();
    }
  });
});

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'behind a proxy that makes trouble, draw %i: whole, or said not to be',
  async (seed) => {
    const roots = await data();
    await place.written.push({ roots }, place.store);
    const proxy = await startFaultProxy(place.web.url);
    const kinds: readonly Fault[] = ['busy', 'reset', 'cut', 'short', 'corrupt'];
    let state = seed;
    const draw = () => {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
      return state / 0x7fffffff;
    };
    proxy.setFaults(() => (draw() < 0.25 ? kinds[Math.floor(draw() * kinds.length)] : undefined));
    if (seed % 2 === 0) place.web.ways.ranges = false;
    const remote = await remoteAt({ url: proxy.endpoint, timeout: 2000 });
    const other = freshStore();
    let report: { readonly failed: readonly unknown[] } | undefined;
    for (let tries = 0; tries < 20 && report?.failed.length !== 0; tries++) {
      report = await remote.fetch({ roots }, other).catch((error: unknown) => {
        if (!(error instanceof FailureError)) throw error;
        return undefined;
      });
    }
    expect(report?.failed).toEqual([]);
    for (const { artifact } of roots)
      expect(contentOf(other, artifact.digest)).toEqual(contentOf(place.store, artifact.digest));
    remote.close();
    await proxy.close();
  },
);

describe('the way there', () => {
  test('a certificate of an unknown authority, until SSL_CERT_FILE names it', async () => {
    const roots = [{ path: 'x', artifact: addFile(place.store, 'over TLS') }];
    await place.written.push({ roots }, place.store);
    const front = await startTlsFront(place.web.url, freshFolder());
    const unknown = await failureOf((await remoteAt({ url: front.endpoint })).fetch({ roots }, freshStore()));
    expect(unknown.message).toContain('no secure connection could be made (DEPTH_ZERO_SELF_SIGNED_CERT');
    const remote = await remoteAt({ url: front.endpoint }, { SSL_CERT_FILE: front.certificate });
    expect(await remote.fetch({ roots }, freshStore())).toMatchObject({ objects: 1, failed: [] });
    remote.close();
    front.close();
  });

  test('a proxy, for http and https, unless no_proxy names the host', async () => {
    const roots = [{ path: 'x', artifact: addFile(place.store, 'by proxy') }];
    await place.written.push({ roots }, place.store);
    const front = await startTlsFront(place.web.url, freshFolder());
    const proxy = await startProxy();
    const from = async (url: string, more = {}) => {
      const env = { http_proxy: proxy.url, HTTPS_PROXY: proxy.url, SSL_CERT_FILE: front.certificate, ...more };
      const remote = await remoteAt({ url }, env);
      expect(await remote.fetch({ roots }, freshStore())).toMatchObject({ objects: 1, failed: [] });
      remote.close();
      return proxy.seen.splice(0);
    };
    const plain = await from(place.web.url);
    expect(plain[0]).toBe(`GET ${place.web.url}/dag-remote.json Basic ${Buffer.from('me:pw').toString('base64')}`);
    const secure = await from(front.endpoint);
    expect(secure[0]).toMatch(/^CONNECT 127\.0\.0\.1:\d+ Basic /);
    expect(await from(front.endpoint, { no_proxy: 'example.org,127.0.0.1' })).toEqual([]);
    proxy.close();
    front.close();
  });
});

/** A proxy that carries what it is asked to, and notes it. */
async function startProxy() {
  const seen: string[] = [];
  const note = ({ method, url, headers }: IncomingMessage) =>
    seen.push(`${method} ${url} ${headers['proxy-authorization']}`);
  const server = createServer((request, answer) => {
    note(request);
    fetch(request.url ?? '', { headers: request.headers.range === undefined ? {} : { range: request.headers.range } })
      .then(async (reply) => {
        const bytes = Buffer.from(await reply.arrayBuffer());
        const range = reply.headers.get('content-range');
        answer.writeHead(reply.status, {
          'content-length': bytes.length,
          ...(range === null ? {} : { 'content-range': range }),
        });
        answer.end(bytes);
      })
      .catch(() => answer.destroy());
  });
  server.on('connect', (request, inside) => {
    note(request);
    const [host, port] = (request.url ?? '').split(':');
    const outside = connect(Number(port), host, () => {
      inside.write('HTTP/1.1 200 OK\r\n\r\n');
      inside.pipe(outside).pipe(inside);
    });
    outside.on('error', () => inside.destroy());
    inside.on('error', () => outside.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://me:pw@127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    seen,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
