import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openShell } from '../rigs/dag.ts';

const base = realpathSync(mkdtempSync(join(tmpdir(), 'dag-history-')));
afterAll(() => rmSync(base, { recursive: true, force: true }));

test('push and fetch take branches, tags and all commits along', async () => {
  const folder = join(base, 'project');
  mkdirSync(folder);
  const me = openShell(folder, base, {});
  const dag = async (...args: string[]) => {
    const done = await me.dag(...args);
    expect(done).toMatchObject({ status: 0 });
    return done.stdout;
  };
  await me.run('git', 'init', '-q', '-b', 'main');
  await dag('init');
  await dag('remote', 'add', '-d', 'store', '../store');
  await dag(
    'stage',
    'add',
    '-n',
    'count',
    '-d',
    'data',
    '-M',
    'n.json',
    '-o',
    'big',
    'wc -c < data > n.json; cat data data > big',
  );
  const commit = async (text: string, ...git: string[][]) => {
    writeFileSync(join(folder, 'data'), text);
    await dag('add', 'data');
    await dag('repro');
    await me.run('git', 'add', '.');
    await me.run('git', 'commit', '-q', '-m', text);
    for (const args of git) await me.run('git', ...args);
  };
  await commit('one');
  await commit('two', ['tag', 'v2']);
  await commit('three', ['branch', 'other']);
  await commit('four', ['checkout', '-q', 'other']);
  await me.run('git', 'checkout', '-q', 'main');

  // Data and the out of the stage; the metric is in git.
  expect(await dag('push')).toBe('2 objects sent, 12 B.\n');
  expect(await dag('push', '-a')).toBe('2 objects sent, 15 B.\n');
  expect(await dag('push', '-T', 'data')).toBe('1 object sent, 3 B.\n');
  expect(await dag('push', '-T')).toBe('1 object sent, 6 B.\n');
  expect(await dag('push', '-A')).toBe('2 objects sent, 9 B.\n');
  expect(await dag('push', '-aTA')).toBe('Everything is up to date.\n');

  for (const name of ['objects', 'packs', 'runs', 'remotes'])
    rmSync(join(folder, '.cache', name), { recursive: true, force: true });
  expect(await dag('fetch', '-T')).toBe('4 objects fetched, 21 B.\n');
  expect(await dag('fetch', '-A')).toBe('4 objects fetched, 24 B.\n');
  await me.run('git', 'checkout', '-q', 'main~3');
  await dag('checkout');
  expect(readFileSync(join(folder, 'big'), 'utf8')).toBe('oneone');
  expect(JSON.parse(await dag('status', '--json'))).toEqual({ stages: {}, data: {} });
});
