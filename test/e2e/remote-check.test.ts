import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openShell } from '../rigs/dag.ts';

const base = realpathSync(mkdtempSync(join(tmpdir(), 'dag-remote-check-')));
afterAll(() => rmSync(base, { recursive: true, force: true }));

test('fsck -r names what is damaged in the remote, and sends it again from the cache', async () => {
  const folder = join(base, 'project');
  mkdirSync(join(folder, 'data'), { recursive: true });
  for (const name of ['a', 'b', 'c']) writeFileSync(join(folder, 'data', name), name.repeat(1000));
  const { run, dag } = openShell(folder, base, {});
  await run('git', 'init', '-q');
  for (const args of [['init'], ['remote', 'add', '-d', 'store', '../store'], ['add', 'data'], ['push']]) {
    expect(await dag(...args)).toMatchObject({ status: 0 });
  }
  expect(await dag('fsck', '-r', 'store')).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^1 pack of the remote 'store' checked, .*: all are whole\.$/m),
  });
  const packs = join(base, 'store', 'packs');
  const [shard = ''] = readdirSync(packs);
  const [name = ''] = readdirSync(join(packs, shard));
  const file = join(packs, shard, name);
  chmodSync(file, 0o644);
  writeFileSync(file, readFileSync(file).toString('latin1').replace('bbb', 'bXb'), 'latin1');
  const found = await dag('fsck', '-r', 'store');
  expect(found.status).toBe(1);
  expect(found.stdout).toMatch(
    /^damaged {2}data\/b {2}blake3:[0-9a-f]{12}: damaged in the remote 'store', and sent again$/m,
  );
  expect(found.stdout).toMatch(/: 1 object in them damaged, 1 of them there again\.$/m);
  expect((await dag('status', '-c')).stdout).toBe('Everything is up to date.\n');
  expect(await dag('fsck', '-r', 'store')).toMatchObject({ status: 0 });
  for (const path of ['.cache/objects', '.cache/packs', 'data'])
    rmSync(join(folder, path), { recursive: true, force: true });
  expect(await dag('pull')).toMatchObject({ status: 0 });
  expect(readFileSync(join(folder, 'data/b'), 'utf8')).toBe('b'.repeat(1000));
});
