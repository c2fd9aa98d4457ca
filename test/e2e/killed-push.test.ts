import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { expectClosed, generator, readIndexes } from '../../packages/remote/test/support.ts';
import { runs, SEED } from '../fuzz.ts';
import { openShell, type Shell } from '../rigs/dag.ts';
import type { FaultProxy } from '../rigs/fault-proxy.ts';
import { faultProxyPerGroup, s3PerGroup } from '../rigs/per-group.ts';
import { needS3 } from '../rigs/s3.ts';

describe('a push that is killed', () => {
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'dag-killed-')));
  afterAll(() => rmSync(base, { recursive: true, force: true }));
  const server = s3PerGroup();
  const proxy = faultProxyPerGroup(server);
  beforeEach((context) => needS3(context));

  test('leaves nothing that names what is not there, and the next push goes on', async () => {
    const env = { ...server.env, AWS_ENDPOINT_URL: proxy.endpoint };
    const folder = join(base, 'project');
    mkdirSync(join(folder, 'data/many'), { recursive: true });
    for (let i = 0; i < 150; i++) {
      mkdirSync(join(folder, `data/many/${i % 10}`), { recursive: true });
      writeFileSync(join(folder, `data/many/${i % 10}/${i}`), `file ${i}\n`);
    }
    const large = createHash('shake256', { outputLength: 40 << 20 })
      .update('large')
      .digest();
    writeFileSync(join(folder, 'data/large.bin'), large);
    const me = openShell(folder, base, env);
    await me.run('git', 'init', '-q');
    for (const args of [['init'], ['remote', 'add', '-d', 'store', `s3://${server.bucket}/killed`], ['add', 'data']]) {
      expect(await me.dag(...args)).toMatchObject({ status: 0 });
    }
    const bucket = join(server.folder, 'killed');
    // The marker is asked for (and put), and the indexes are listed; then come three packs, another list, and their index.
    for (const requests of [4, 3, 4]) {
      await killAfter(me, proxy, requests);
      expect(readIndexes(bucket)).toEqual([]);
    }
    await killAfter(me, proxy, 6);
    await expectClosed(bucket);
    expect(await me.dag('push')).toMatchObject({ status: 0 });
    await expectClosed(bucket);
    expect(readIndexes(bucket)).toHaveLength(1);
    rmSync(join(folder, 'data'), { recursive: true });
    rmSync(join(folder, '.cache/objects'), { recursive: true, force: true });
    rmSync(join(folder, '.cache/packs'), { recursive: true, force: true });
    expect(await me.dag('pull')).toMatchObject({ status: 0 });
    expect(readFileSync(join(folder, 'data/large.bin')).equals(large)).toBe(true);
    expect(readFileSync(join(folder, 'data/many/7/147'), 'utf8')).toBe('file 147\n');
    expect(JSON.parse((await me.dag('status', '--json')).stdout)).toEqual({ stages: {}, data: {} });
  });

  test('push and pull that are killed at random points send nothing again that has an index, and leave nothing behind', async () => {
    const env = { ...server.env, AWS_ENDPOINT_URL: proxy.endpoint };
    const random = generator(SEED);
    for (let round = 0; round < runs(1); round++) {
      const folder = join(base, `random-${round}`);
      const bucket = join(server.folder, `random-${round}`);
      mkdirSync(join(folder, 'data/many'), { recursive: true });
      for (let i = 0; i < 100; i++) writeFileSync(join(folder, `data/many/${i}`), `file ${i} of ${round}\n`);
      const large = createHash('shake256', { outputLength: 50 << 20 })
        .update(`large ${round}`)
        .digest();
      writeFileSync(join(folder, 'data/large.bin'), large);
      const me = openShell(folder, base, env);
      await me.run('git', 'init', '-q');
      const remote = ['remote', 'add', '-d', 'store', `s3://${server.bucket}/random-${round}`];
      for (const args of [['init'], remote, ['add', 'data']])
        expect(await me.dag(...args)).toMatchObject({ status: 0 });

      for (let kills = 0; kills < 4; kills++) {
        await killAt(me, proxy, 'push', Math.floor(random() * 12));
        await expectClosed(bucket);
      }
      expect(await me.dag('push')).toMatchObject({ status: 0 });
      await expectClosed(bucket);
      const hashes = readIndexes(bucket).flatMap((index) =>
        Array.from({ length: index.count }, (_, i) => index.digest(i)),
      );
      expect(new Set(hashes).size).toBe(hashes.length);

      rmSync(join(folder, 'data'), { recursive: true });
      for (const name of ['objects', 'packs']) rmSync(join(folder, '.cache', name), { recursive: true, force: true });
      for (let kills = 0; kills < 4; kills++) {
        await killAt(me, proxy, kills % 2 === 0 ? 'fetch' : 'pull', Math.floor(random() * 12));
        expect(await me.dag('fsck')).toMatchObject({ status: 0 });
      }
      expect(await me.dag('pull')).toMatchObject({ status: 0 });
      expect(readFileSync(join(folder, 'data/large.bin')).equals(large)).toBe(true);
      expect(readFileSync(join(folder, 'data/many/77'), 'utf8')).toBe(`file 77 of ${round}\n`);
      expect(JSON.parse((await me.dag('status', '--json')).stdout)).toEqual({ stages: {}, data: {} });
      expect(readdirSync(join(folder, '.cache/tmp'))).toEqual([]);
    }
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

/** Begins a verb, and kills it with no warning at its so-manieth request, if it comes so far. */
async function killAt(shell: Shell, proxy: FaultProxy, verb: string, requests: number): Promise<void> {
  const first = proxy.seen.length;
  const child = shell.start(verb);
  const gone = new Promise((resolve) => child.once('exit', resolve));
  proxy.setFaults(({ number }) => {
    if (number - first === requests) child.kill('SIGKILL');
    return undefined;
  });
  await gone;
  proxy.setFaults(() => undefined);
}
