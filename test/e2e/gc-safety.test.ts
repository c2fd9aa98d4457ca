import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeProject, type Ran, type TestProject } from '../rigs/project.ts';

// What gc must not take for unused only because it can't be told just now.

let mine: TestProject;
let theirs: TestProject;
let shared: string;
beforeEach(() => {
  mine = makeProject();
  theirs = makeProject();
  shared = path.join(mine.home, 'shared');
});
afterEach(() => {
  mine.remove();
  theirs.remove();
});

async function run(project: TestProject, ...args: string[]): Promise<Ran> {
  const ran = await project.dag(args, { env: { DAG_CACHE_DIR: shared } });
  expect(ran.status, `dag ${args.join(' ')}: ${ran.stderr}`).toBe(0);
  return ran;
}

/** Two versions of a large file of theirs in the shared cache, the older only in their git history. */
async function shareCache(): Promise<void> {
  await run(mine, 'init');
  await run(theirs, 'init');
  for (const version of ['1', '2']) {
    theirs.write('sub/big', Buffer.alloc(100_000, version));
    await run(theirs, 'add', 'sub/big');
    commitAll(theirs, version);
  }
  mine.write('big', Buffer.alloc(100_000, 'm'));
  await run(mine, 'add', 'big');
  commitAll(mine, 'mine');
}

function commitAll(project: TestProject, message: string): void {
  project.git('add', '-A');
  project.git('commit', '-q', '-m', message);
}

function looseFiles(cache = shared): string[] {
  const names = fs.readdirSync(path.join(cache, 'objects'), { recursive: true }) as string[];
  return names.filter((name) => /[0-9a-f]{62}$/.test(name));
}

async function refuses(args: readonly string[], words: RegExp, env: Record<string, string> = {}): Promise<void> {
  const before = looseFiles();
  const ran = await mine.dag(['gc', '-f', ...args], { env: { DAG_CACHE_DIR: shared, ...env } });
  expect([ran.status, ran.stderr], ran.stdout).toEqual([expect.toBeOneOf([1, 3]), expect.stringMatching(words)]);
  expect(looseFiles()).toEqual(before);
}

test('a listing in a damaged pack keeps what nobody can name', async () => {
  shared = mine.path('.cache');
  await run(mine, 'init');
  for (let i = 0; i < 200; i++) mine.write(`data/${i % 100}/f${i}`, `content ${i}\n`);
  mine.write('data/1/big', Buffer.alloc(100_000, 'b'));
  await run(mine, 'add', 'data');
  const packs = mine.path('.cache/packs');
  const pack = fs.readdirSync(packs).find((name) => fs.readFileSync(path.join(packs, name)).includes('dag tree')) ?? '';
  const whole = fs.readFileSync(path.join(packs, pack));
  const listing = whole.indexOf('dag tree 1\n');
  const damages: [string, (bytes: Buffer) => Buffer][] = [
    ['one listing', (bytes) => Buffer.from(bytes).fill('?', listing + 3, listing + 4)],
    ['each listing', (bytes) => Buffer.from(bytes.toString('latin1').replaceAll('dag tree', 'dag free'), 'latin1')],
    ['its index', (bytes) => Buffer.from(bytes).fill('?', bytes.length - 300, bytes.length - 290)],
    ['its end', (bytes) => bytes.subarray(0, -200)],
  ];
  for (const [what, damage] of damages) {
    const cache = path.join(mine.home, what.replace(' ', '-'));
    fs.cpSync(mine.path('.cache'), cache, { recursive: true });
    fs.rmSync(path.join(cache, 'packs', pack));
    fs.writeFileSync(path.join(cache, 'packs', pack), damage(whole));
    shared = cache;
    await refuses(['-w'], /listing of 'data.*' is lost.*quarantine.*nothing is removed/);
    await refuses(['-w'], /is lost/);
    expect(looseFiles(), what).toHaveLength(1);
  }
});

test('a cache that is reached by a link is shared, too', async () => {
  for (const project of [mine, theirs]) {
    fs.mkdirSync(shared, { recursive: true });
    fs.symlinkSync(shared, project.path('.cache'));
    expect(await project.dag(['init'])).toMatchObject({ status: 0 });
    project.write('big', Buffer.alloc(100_000, project.root));
    expect(await project.dag(['add', 'big'])).toMatchObject({ status: 0 });
  }
  expect(await mine.dag(['gc', '-w', '-f'])).toMatchObject({ status: 0 });
  expect(looseFiles()).toHaveLength(2);
});

test('a project in a folder that can not be entered is no project that is gone', async () => {
  await shareCache();
  const isRoot = process.getuid?.() === 0;
  fs.chmodSync(theirs.root, 0);
  if (isRoot) {
    // Permissions don't stop root: the same as another user.
    fs.chmodSync(path.dirname(mine.root), 0o755);
    execFileSync('chown', ['-R', '65534', path.dirname(mine.root)]);
    process.seteuid?.(65_534);
  }
  try {
    await refuses(['-w'], /can't be looked at now/);
  } finally {
    if (isRoot) process.seteuid?.(0);
    fs.chmodSync(theirs.root, 0o755);
  }
});

test('what other projects have in their history is not for this one to drop', async () => {
  await shareCache();
  await run(mine, 'gc', '-w', '-f');
  expect(looseFiles()).toHaveLength(3);
  await run(theirs, 'gc', '-w', '-f');
  expect(looseFiles()).toHaveLength(2);
});

test('a lock in the history of another project that nobody can read keeps nothing, and stops nothing', async () => {
  await shareCache();
  const lock = theirs.read('pipeline.lock');
  theirs.write('pipeline.lock', `<<<<<<< HEAD\n${lock}`);
  commitAll(theirs, 'conflict');
  theirs.write('pipeline.lock', lock);
  commitAll(theirs, 'mended');
  const ran = await run(mine, 'gc', '-w', '-f');
  expect(ran.stderr).toMatch(/warning: pipeline.lock of commit .* is no lock that can be read/);
  expect(looseFiles()).toHaveLength(3);
});

test('a project that was moved is no project that is gone: it is waited for', async () => {
  await shareCache();
  const moved = `${theirs.root}-moved`;
  fs.renameSync(theirs.root, moved);
  await refuses(['-w'], /the project that was in .* uses this cache, and was moved/);
  fs.renameSync(moved, theirs.path('../again'));
  await refuses(['-w'], /was moved/);
  const env = { DAG_CACHE_DIR: shared };
  expect(await theirs.dag(['checkout'], { env, cwd: '../again' })).toMatchObject({ status: 0 });
  await run(mine, 'gc', '-w', '-f');
  expect(looseFiles()).toHaveLength(3);
  fs.rmSync(theirs.path('../again'), { recursive: true });
  const ran = await run(mine, 'gc', '-w', '-f');
  expect(ran.stderr).toContain('is no longer there; it keeps nothing');
  expect(looseFiles()).toHaveLength(1);
});

test('a work tree that was moved, or is at a revision without a pipeline, is no project that is gone', async () => {
  await shareCache();
  theirs.git('checkout', '-q', '--orphan', 'empty');
  theirs.git('rm', '-rfq', '.');
  theirs.git('commit', '-q', '--allow-empty', '-m', 'nothing');
  theirs.git('worktree', 'add', '-q', '../tree', 'main');
  const env = { DAG_CACHE_DIR: shared };
  expect(await theirs.dag(['checkout'], { env, cwd: '../tree' })).toMatchObject({ status: 0 });
  expect(theirs.exists('pipeline.yaml')).toBe(false);
  await run(mine, 'gc', '-w', '-f');
  expect(looseFiles()).toHaveLength(3);
  theirs.git('worktree', 'move', '../tree', '../other');
  await refuses(['-w'], /was moved/);
  theirs.git('worktree', 'remove', '--force', '../other');
  await run(mine, 'gc', '-w', '-f');
  expect(looseFiles()).toHaveLength(3);
});

test('a copy of a project is another one', async () => {
  await shareCache();
  fs.cpSync(theirs.root, theirs.path('../copy'), { recursive: true });
  const env = { DAG_CACHE_DIR: shared };
  expect(await theirs.dag(['checkout'], { env, cwd: '../copy' })).toMatchObject({ status: 0 });
  fs.rmSync(theirs.path('../copy'), { recursive: true });
  await run(mine, 'gc', '-w', '-f');
  expect(looseFiles()).toHaveLength(3);
  expect(fs.readdirSync(path.join(shared, 'projects'))).toHaveLength(2);
});

test('across file systems a project that is not found may be anywhere', async () => {
  await shareCache();
  const folder = path.join(shared, 'projects');
  for (const name of fs.readdirSync(folder)) {
    const text = fs.readFileSync(path.join(folder, name), 'utf8');
    if (!text.includes(theirs.root)) continue;
    // As it is written where the link can't be made.
    fs.rmSync(path.join(folder, name));
    fs.writeFileSync(path.join(folder, name), text.replace('true', 'false'));
  }
  await run(theirs, 'checkout');
  await run(mine, 'gc', '-w', '-f');
  expect(looseFiles()).toHaveLength(3);
  fs.rmSync(theirs.root, { recursive: true });
  await refuses(['-w'], /can't be looked at now/);
});

test('symlinks in the workspaces of others keep what they lead to, whatever their locks say', async () => {
  theirs.write('.cache/local.yaml', 'cache: {link: [symlink]}\n');
  await shareCache();
  fs.rmSync(theirs.path('pipeline.lock'));
  fs.rmSync(theirs.path('.git'), { recursive: true });
  await run(mine, 'gc', '-w', '-f');
  expect(theirs.read('sub/big')).toBe('2'.repeat(100_000));
});

test('an entry of the register that can not be read stops it', async () => {
  await shareCache();
  const folder = path.join(shared, 'projects');
  for (const name of fs.readdirSync(folder)) {
    const file = path.join(folder, name);
    if (!fs.readFileSync(file, 'utf8').includes(theirs.root)) continue;
    fs.rmSync(file);
    fs.writeFileSync(file, '{"root": "/half');
  }
  await refuses(['-w'], /can't be read: it names a project/);
});

test('a repository of another project that git refuses has a history all the same', async () => {
  await shareCache();
  await run(mine, 'gc', '-A', '-f');
  expect(looseFiles()).toHaveLength(3);
  fs.appendFileSync(theirs.path('.git/config'), '[broken\n');
  await refuses(['-A'], /git rev-parse failed in .*bad config/);
});

test("another project's history is its own, also in a git hook of this one", async () => {
  await shareCache();
  const env = { DAG_CACHE_DIR: shared, GIT_DIR: mine.path('.git'), GIT_WORK_TREE: mine.root };
  expect(await mine.dag(['gc', '-A', '-f'], { env })).toMatchObject({ status: 0 });
  expect(looseFiles()).toHaveLength(3);
});

test('a history in which git lacks something is not one that names nothing', async () => {
  await shareCache();
  const [folder, lock] = ['HEAD~1:sub', 'HEAD~1:pipeline.lock'].map((name) => theirs.git('rev-parse', name).trim());
  for (const id of [folder, lock]) {
    const file = theirs.path('.git/objects', id?.slice(0, 2) ?? '', id?.slice(2) ?? '');
    const bytes = fs.readFileSync(file);
    fs.rmSync(file);
    await refuses(['-A'], /git lacks .* of commit/);
    fs.writeFileSync(file, bytes);
  }
  await run(mine, 'gc', '-A', '-f');
  expect(looseFiles()).toHaveLength(3);
});

test('commits count by their own date, whatever stands before them', async () => {
  shared = mine.path('.cache');
  await run(mine, 'init');
  const commit = (day: string): void => {
    mine.git('add', '-A');
    mine.git('-c', `alias.dated=!GIT_COMMITTER_DATE='${day}T12:00:00Z' git commit -q --allow-empty -m x`, 'dated');
  };
  mine.write('big', Buffer.alloc(100_000, '1'));
  await run(mine, 'add', 'big');
  commit('2024-06-01');
  mine.write('big', Buffer.alloc(100_000, '2'));
  await run(mine, 'add', 'big');
  for (let i = 0; i < 12; i++) commit('2023-01-01');
  await run(mine, 'gc', '-f', '--date', '2024-01-01');
  expect(looseFiles()).toHaveLength(2);
});

test('run records of other projects that share the cache are theirs to drop, and are kept as long as they say', async () => {
  for (const [project, days] of [
    [mine, 0],
    [theirs, 400],
  ] as const) {
    await run(project, 'init');
    project.write('in', project.root);
    project.write(
      'pipeline.yaml',
      `cache: {keep_runs: ${days}}\nstages:\n  s: {cmd: cat in > out, deps: [in], outs: [out]}\n`,
    );
    await run(project, 'repro');
    project.write('in', 'else');
    await run(project, 'repro', '-f');
  }
  const records = (): string[] =>
    (fs.readdirSync(path.join(shared, 'runs'), { recursive: true }) as string[]).filter((name) =>
      name.endsWith('.json'),
    );
  const recorded = records().length;
  expect(recorded).toBeGreaterThan(2);
  const dropped = await run(mine, 'gc', '-w', '--runs', '-f');
  expect(dropped.stderr).toMatch(/\d run records? of other projects that share the cache stays?/);
  expect(records().length).toBeLessThan(recorded);
  theirs.write('in', theirs.root);
  const restored = await theirs.dag(['repro', '--json'], { env: { DAG_CACHE_DIR: shared } });
  expect(restored.events.at(-1)).toMatchObject({ ran: [], restored: ['s'] });
  // Their own gc drops them.
  const left = records().length;
  await run(theirs, 'gc', '-w', '--runs', '-f');
  expect(records().length).toBeLessThan(left);
});
