import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openShell, type Shell } from '../rigs/dag.ts';
import { type FaultProxy, startFaultProxy } from '../rigs/fault-proxy.ts';
import { missingS3, needS3, type S3Server, startS3 } from '../rigs/s3.ts';

/** One pack is closed at 16 MiB: five of them. */
const SIZE = 72 << 20;

describe('a fetch that is broken off', () => {
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'dag-killed-')));
  let server: S3Server | undefined;
  let proxy: FaultProxy | undefined;
  let me: Shell;
  const folder = join(base, 'project');
  const large = createHash('shake256', { outputLength: SIZE }).update('fetched').digest();
  beforeEach((context) => needS3(context));
  beforeAll(async () => {
    if (missingS3() !== undefined) return;
    server = await startS3();
    proxy = await startFaultProxy(server.endpoint);
    me = openShell(folder, base, { ...server.env, AWS_ENDPOINT_URL: proxy.endpoint });
    mkdirSync(folder);
    writeFileSync(join(folder, 'large.bin'), large);
    await me.run('git', 'init', '-q');
    for (const args of [
      ['init'],
      ['remote', 'add', '-d', 'store', `s3://${server.bucket}/killed`],
      ['add', 'large.bin'],
      ['push'],
    ])
      expect(await me.dag(...args)).toMatchObject({ status: 0 });
  });
  beforeEach(() => {
    for (const name of ['objects', 'packs', 'partial']) {
      rmSync(join(folder, '.cache', name), { recursive: true, force: true });
    }
  });
  afterAll(async () => {
    await proxy?.close();
    await server?.remove();
    rmSync(base, { recursive: true, force: true });
  });

  test.each(['SIGKILL', 'SIGINT'] as const)('goes on from where it was, after %s', async (signal) => {
    if (proxy === undefined) throw new Error('no server');
    const packs = readdirSync(join(server?.folder ?? '', 'killed/packs'), { recursive: true }).filter((name) =>
      `${name}`.endsWith('.pack'),
    );
    expect(packs).toHaveLength(5);
    const { seen } = proxy;
    const reads = (from: number): string[] =>
      seen.slice(from).flatMap(({ url }) => /packs\/.*\.pack/.exec(url)?.[0] ?? []);
    const first = seen.length;
    const child = me.start('fetch', '-j', '1');
    const gone = new Promise((resolve) => child.once('exit', resolve));
    // The list, three packs, and a fourth that is not answered.
    proxy.setFaults(({ url, number }) => {
      if (!url.includes('packs/') || reads(first).length < 5 || number < first) return undefined;
      child.kill(signal);
      return 'reset';
    });
    expect(await gone).toBe(signal === 'SIGINT' ? 130 : null);
    proxy.setFaults(() => undefined);
    const asked = reads(first);
    expect(asked).toHaveLength(5);

    const second = seen.length;
    const again = JSON.parse((await me.dag('fetch', '--json')).stdout.trim().split('\n').at(-1) ?? '');
    expect(again).toMatchObject({ event: 'summary', objects: 1, failed: [] });
    const [list, ...content] = asked;
    const received = content.slice(0, 3).filter((pack) => pack !== list);
    expect(reads(second).filter((pack) => received.includes(pack))).toEqual([]);
    expect(new Set(reads(second)).size).toBeLessThanOrEqual(3);
    expect(again.bytes).toBeLessThan(SIZE / 2);
    expect(readdirSync(join(folder, '.cache/partial'))).toEqual([]);
    rmSync(join(folder, 'large.bin'));
    expect(await me.dag('checkout')).toMatchObject({ status: 0 });
    expect(readFileSync(join(folder, 'large.bin')).equals(large)).toBe(true);
  });
});
