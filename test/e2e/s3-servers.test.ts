import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { s3Storage } from '../../packages/remote/src/storage/s3/storage.ts';
import { testStorageContract } from '../../packages/remote/test/contract.ts';
import { missingCeph, startCeph } from '../rigs/ceph.ts';
import { openShell } from '../rigs/dag.ts';
import { type FaultProxy, startFaultProxy } from '../rigs/fault-proxy.ts';
import { missingRclone, startRclone } from '../rigs/rclone.ts';
import { needRig, type S3Place } from '../rigs/s3.ts';

const servers: [string, string | undefined, () => Promise<S3Place>][] = [
  ['Ceph', missingCeph(), startCeph],
  ['rclone serve s3, a folder', missingRclone(), () => startRclone('folder')],
  ['rclone serve s3, encrypted', missingRclone(), () => startRclone('crypt')],
];

describe.each(servers)('%s', (name, missing, start) => {
  let place: S3Place;
  let proxy: FaultProxy;
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'dag-servers-')));
  beforeEach((context) => needRig(context, missing));
  beforeAll(async () => {
    if (missing !== undefined) return;
    place = await start();
    proxy = await startFaultProxy(place.endpoint);
  });
  afterAll(async () => {
    await proxy?.close();
    await place?.remove();
    rmSync(base, { recursive: true, force: true });
  });

  testStorageContract({
    name,
    need: (context) => needRig(context, missing),
    available: () => missing === undefined,
    open: async () => s3Storage(place.bucket, 'contract/', { env: place.env }),
    remove: async () => {},
  });

  test('push, status, fetch, pull and fsck, by a project and a clone of it', async () => {
    const me = openShell(join(base, 'mine'), base, place.env);
    const large = createHash('shake256', { outputLength: 20 << 20 })
      .update(name)
      .digest();
    mkdirSync(join(me.folder, 'data/many'), { recursive: true });
    writeFileSync(join(me.folder, 'data/large.bin'), large);
    for (let i = 0; i < 300; i++) writeFileSync(join(me.folder, `data/many/${i}`), `file ${i}\n`);
    await me.run('git', 'init', '-q');
    for (const args of [['init'], ['remote', 'add', '-d', 'store', `s3://${place.bucket}/project`], ['add', 'data']]) {
      expect(await me.dag(...args)).toMatchObject({ status: 0 });
    }
    expect((await me.dag('status', '-c')).stdout).toContain('new (not in the remote)');
    expect(await me.dag('push')).toMatchObject({ status: 0, stdout: expect.stringContaining('303 objects sent') });
    expect(await me.dag('push')).toMatchObject({ status: 0, stdout: 'Everything is up to date.\n' });
    expect((await me.dag('status', '-c')).stdout).toBe('Everything is up to date.\n');
    await me.run('git', 'add', '.');
    await me.run('git', 'commit', '-qm', 'data');

    await me.run('git', 'clone', '-q', me.folder, join(base, 'theirs'));
    const they = openShell(join(base, 'theirs'), base, place.env);
    expect((await they.dag('status', '-c')).stdout).toContain('deleted (only in the remote) data');
    expect(await they.dag('pull')).toMatchObject({ status: 0 });
    expect(readFileSync(join(they.folder, 'data/large.bin')).equals(large)).toBe(true);
    expect(readFileSync(join(they.folder, 'data/many/147'), 'utf8')).toBe('file 147\n');
    writeFileSync(join(they.folder, 'data/many/new'), 'new\n');
    expect(await they.dag('add', 'data')).toMatchObject({ status: 0 });
    expect(await they.dag('push')).toMatchObject({ status: 0, stdout: expect.stringContaining('3 objects sent') });
    expect(await they.dag('fsck', '-r', 'store')).toMatchObject({ status: 0 });
  });

  test('a body that changes on its way is not kept', async () => {
    const env = { ...place.env, AWS_ENDPOINT_URL: proxy.endpoint };
    const me = openShell(join(base, 'changed'), base, env);
    mkdirSync(me.folder);
    writeFileSync(join(me.folder, 'x'), 'changes on its way');
    await me.run('git', 'init', '-q');
    for (const args of [['init'], ['remote', 'add', '-d', 'store', `s3://${place.bucket}/changed`], ['add', 'x']]) {
      expect(await me.dag(...args)).toMatchObject({ status: 0 });
    }
    const changed = new Set<string>();
    proxy.setFaults(({ method, url }) => {
      if (method !== 'PUT' || !/\.(pack|index)\b/.test(url) || changed.has(url)) return undefined;
      changed.add(url);
      return 'corrupt-request';
    });
    expect(await me.dag('push')).toMatchObject({ status: 0 });
    expect(changed.size).toBe(2);
    rmSync(join(me.folder, '.cache/objects'), { recursive: true, force: true });
    rmSync(join(me.folder, '.cache/packs'), { recursive: true, force: true });
    rmSync(join(me.folder, 'x'));
    expect(await me.dag('pull')).toMatchObject({ status: 0 });
    expect(readFileSync(join(me.folder, 'x'), 'utf8')).toBe('changes on its way');
  });
});
