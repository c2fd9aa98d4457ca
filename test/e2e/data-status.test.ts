import fs from 'node:fs';
import { expect, test } from 'vitest';
import { projectPerTest } from '../rigs/per-test.ts';

const project = projectPerTest();

async function begin(): Promise<void> {
  project.write('pipeline.yaml', 'stages:\n  copy:\n    cmd: cp src out\n    deps: [src]\n    outs: [out]\n');
  project.write('src', 'src\n');
  for (const file of ['data/a', 'data/deep/b', 'data/deep/c', 'more/m']) project.write(file, `${file}\n`);
  await run('add', '-q', 'data', 'more');
  await run('repro', '-q');
  commit();
}

function commit(): void {
  project.git('add', '-A');
  project.git('commit', '-q', '-m', 'x');
}

async function run(...args: string[]): Promise<string> {
  const ran = await project.dag(args);
  expect(ran.status, ran.stderr).toBe(0);
  return ran.stdout;
}

async function status(...args: string[]): Promise<unknown> {
  return JSON.parse(await run('data', 'status', '--json', ...args));
}

/** Takes the object of something out of the cache. */
function lose(digest: string | undefined): void {
  const hex = String(digest).replace(/^.*:/, '');
  fs.rmSync(project.path('.cache/objects', hex.slice(0, 2), hex.slice(2)));
}

async function digestOf(target: string): Promise<string | undefined> {
  const found = JSON.parse(await run('diff', '--json', '--show-hash', '--targets', target)) as {
    modified: { path: string; hash: { old: string } }[];
  };
  return found.modified.find(({ path }) => path.replace(/\/$/, '') === target)?.hash.old;
}

test('what is to be committed, recorded, and known to nobody, in words; the exit status says so where it is asked', async () => {
  await begin();
  expect(await run('data', 'status', '--exit-code')).toBe('No changes.\n');
  project.write('data/a', 'other\n');
  await run('add', '-q', 'data');
  project.write('data/deep/new', 'new\n');
  fs.renameSync(project.path('more'), project.path('moved'));
  const ran = await project.dag(['data', 'status', '--granular', '--untracked-files', '--unchanged', '--exit-code']);
  expect([ran.status, ran.stderr]).toEqual([1, '']);
  expect(ran.stdout).toMatchInlineSnapshot(`
    "Changes in pipeline.lock since HEAD:
      ('git commit' keeps them)
        modified: data/
        modified: data/a

    Changes that are not in pipeline.lock:
      ('dag repro' or 'dag commit' records them, 'dag checkout' discards them)
        modified: data/
        added: data/deep/new
        deleted: more/
        deleted: more/m

    Untracked files:
      ('dag add' or 'git add' tracks them)
        moved/m

    Unchanged:
        data/deep/b
        data/deep/c
        out
    "
  `);
  expect(await project.dag(['data', 'status', '-q'])).toMatchObject({ status: 1, stdout: '' });
  expect((await project.dag(['data', 'status'])).status).toBe(0);
});

test('targets: paths from where one stands, inside folders, of what HEAD alone tracked, stages; none is a mistake', async () => {
  await begin();
  fs.rmSync(project.path('data/deep/b'));
  await run('add', '-q', 'data');
  await run('remove', '-q', 'more');
  project.write('out', 'by hand\n');
  project.write('data/deep/c', 'other\n');
  expect(await status('copy')).toEqual({ uncommitted: { modified: ['out'] } });
  expect(await status('more')).toEqual({ committed: { deleted: ['more/'] } });
  expect(await status('data')).toEqual({ committed: { modified: ['data/'] }, uncommitted: { modified: ['data/'] } });
  expect(await status('.')).toEqual(await status());
  const inside = { committed: { deleted: ['data/deep/b'] }, uncommitted: { modified: ['data/deep/c'] } };
  expect(await status('data/deep')).toEqual(inside);
  expect(await status('--cd', 'data', 'deep/b', 'deep')).toEqual(inside);
  for (const [args, said] of [
    [['nothing'], /'nothing' is no stage, out, tracked path/],
    [['--untracked-files', 'data'], /--untracked-files takes 'all' or 'no', not 'data'/],
    [['--not-in-remote'], /no remote is set/],
  ] as const) {
    expect(await project.dag(['data', 'status', ...args])).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(said),
    });
  }
});

test('without git or commits; a stage that is gone from pipeline.yaml, though not from the lock, is deleted once', async () => {
  await begin();
  project.write('pipeline.yaml', project.read('pipeline.yaml').replace(/^stages:[\s\S]*outs: \[out\]\n/m, ''));
  expect(project.read('pipeline.lock')).toContain('copy');
  expect(await status()).toEqual({ committed: { deleted: ['out'] } });
  commit();
  expect(await status()).toEqual({});
  fs.rmSync(project.path('.git'), { recursive: true });
  expect(await status('--unchanged', '--untracked-files')).toEqual({ unchanged: ['data/', 'more/'] });
  project.write('more/n', 'n\n');
  expect(await status()).toEqual({ uncommitted: { modified: ['more/'] } });
  project.git('init', '-q');
  await run('add', '-q', 'more');
  expect(await status()).toEqual({ committed: { added: ['data/', 'more/'] } });
});

test('a cache, and a remote, that lack some: a folder is named where anything inside is lacking; the rest is still told', async () => {
  await begin();
  await run('remote', 'add', '-q', '-d', 'r', '../remote');
  await run('push', '-q', 'more', 'out');
  expect(await status('--not-in-remote')).toEqual({ not_in_remote: ['data/'] });
  expect(await status('--granular', '-r', 'r')).toEqual({
    not_in_remote: ['data/', 'data/a', 'data/deep/b', 'data/deep/c'],
  });
  project.write('data/a', 'other\n');
  project.write('data/deep/b', 'other\n');
  project.write('data/deep/new', 'new\n');
  lose(await digestOf('data/a'));
  expect(await status()).toEqual({ not_in_cache: ['data/'], uncommitted: { modified: ['data/'] } });
  lose(await digestOf('data/deep'));
  expect(await status('--granular', '--unchanged')).toEqual({
    not_in_cache: ['data/a', 'data/deep/'],
    uncommitted: { modified: ['data/', 'data/a'], unknown: ['data/deep/b', 'data/deep/c', 'data/deep/new'] },
    unchanged: ['more/', 'more/m', 'out'],
  });
  fs.rmSync(project.path('data/deep/new'));
  project.write('data/deep/b', 'data/deep/b\n');
  // What is as it was is known to be, listing or not.
  expect(await status('--granular', '--unchanged', 'data/deep')).toEqual({
    not_in_cache: ['data/deep/'],
    unchanged: ['data/deep/b', 'data/deep/c'],
  });
});
