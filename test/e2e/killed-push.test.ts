import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeTree } from '@dag/model';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openShell, type Shell } from '../rigs/dag.ts';
import { type FaultProxy, startFaultProxy } from '../rigs/fault-proxy.ts';
import { missingS3, needS3, type S3Server, startS3 } from '../rigs/s3.ts';

describe('a push that is killed', () => {
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'dag-killed-')));
  let server: S3Server | undefined;
  let proxy: FaultProxy | undefined;
  beforeEach((context) => needS3(context));
  beforeAll(async () => {
    if (missingS3() !== undefined) return;
    server = await startS3();
    proxy = await startFaultProxy(server.endpoint);
  });
  afterAll(async () => {
    await proxy?.close();
    await server?.remove();
    rmSync(base, { recursive: true, force: true });
  });

  test('leaves nothing that names what is not there, and the next push goes on', async () => {
    if (server === undefined || proxy === undefined) throw new Error('no server');
    const env = { ...server.env, AWS_ENDPOINT_URL: proxy.endpoint };
    const folder = join(base, 'project');
    mkdirSync(join(folder, 'data/many'), { recursive: true });
    for (let i = 0; i < 150; i++) {
      mkdirSync(join(folder, `data/many/${i % 10}`), { recursive: true });
      writeFileSync(join(folder, `data/many/${i % 10}/${i}`), `file ${i}\n`);
    }
    const large = createHash('shake256', { outputLength: 12 << 20 })
      .update('large')
      .digest();
    writeFileSync(join(folder, 'data/large.bin'), large);
    const me = openShell(folder, base, env);
    await me.run('git', 'init', '-q');
    for (const args of [['init'], ['remote', 'add', '-d', 'store', `s3://${server.bucket}/killed`], ['add', 'data']]) {
      expect(await me.dag(...args)).toMatchObject({ status: 0 });
    }
    const bucket = join(server.folder, 'killed');
    // Once among the files, and twice among the last requests, where the trees are.
    for (const requests of [60, 110, 12]) {
      await killAfter(me, proxy, requests);
      expectClosed(bucket);
    }
    expect(await me.dag('push')).toMatchObject({ status: 0 });
    expectClosed(bucket);
    rmSync(join(folder, 'data'), { recursive: true });
    rmSync(join(folder, '.cache/objects'), { recursive: true, force: true });
    rmSync(join(folder, '.cache/packs'), { recursive: true, force: true });
    expect(await me.dag('pull')).toMatchObject({ status: 0 });
    expect(readFileSync(join(folder, 'data/large.bin')).equals(large)).toBe(true);
    expect(readFileSync(join(folder, 'data/many/7/147'), 'utf8')).toBe('file 147\n');
    expect(JSON.parse((await me.dag('status', '--json')).stdout)).toEqual({ stages: {}, data: {} });
  });
});

/** Pushes, and kills it with no warning when it has made so many requests. */
async function killAfter(shell: Shell, proxy: FaultProxy, requests: number): Promise<void> {
  const first = proxy.seen.length;
  const child = shell.start('push');
  const gone = new Promise((resolve) => child.once('exit', resolve));
  proxy.setFaults(({ number }) => {
    if (number - first === requests) child.kill('SIGKILL');
    return undefined;
  });
  await gone;
  proxy.setFaults(() => undefined);
  expect(child.signalCode).toBe('SIGKILL');
}

/** All that the trees in a bucket name is in it too. */
function expectClosed(bucket: string): void {
  const objects = join(bucket, 'objects');
  const there = new Set<string>();
  for (const folder of readdirSync(objects)) {
    for (const name of readdirSync(join(objects, folder))) there.add(folder + name);
  }
  for (const hex of there) {
    const tree = decodeTree(readFileSync(join(objects, hex.slice(0, 2), hex.slice(2))));
    if (!tree.ok) continue;
    for (const entry of tree.value) {
      if (entry.kind !== 'symlink') expect(there).toContain(entry.digest.slice('blake3:'.length));
    }
  }
}
