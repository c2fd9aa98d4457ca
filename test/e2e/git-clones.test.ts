import fs from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { clonedListing, commitAll, dagOk, gitIn, listingProject } from '../rigs/git.ts';
import type { TestProject } from '../rigs/project.ts';

const made: TestProject[] = [];
afterEach(() => {
  for (const project of made.splice(0)) project.remove();
});

/** Clones of one project. */
async function clones(count: number): Promise<TestProject[]> {
  const origin = await listingProject();
  made.push(origin);
  const all = await Promise.all(Array.from({ length: count }, () => clonedListing(origin)));
  made.push(...all);
  return all;
}

async function one(): Promise<TestProject> {
  return (await clones(1))[0] as TestProject;
}

async function both(): Promise<[TestProject, TestProject]> {
  return (await clones(2)) as [TestProject, TestProject];
}

const data = (project: TestProject): string[] => fs.readdirSync(project.path('data')).sort();

/** Changes in the first clone, sent to the remote, and in the second, which has them not. */
async function diverged(first: Record<string, string>, second: Record<string, string>) {
  const [ann, bob] = await both();
  await commitAll(ann, 'of Ann', first);
  await dagOk(ann, ['push', '-q']);
  await commitAll(bob, 'of Bob', second);
  return { ann, bob, git: gitIn(bob) };
}

test('what two clones added to a folder is merged by git pull, and the files of the other come with dag pull', async () => {
  const { ann, bob, git } = await diverged({ 'data/b': 'Ann\n' }, { 'data/c': 'Bob\n' });
  const merged = git('pull', '-q', '--no-rebase', '--no-edit', ann.root, 'main');
  expect(merged.status).toBe(0);
  expect(merged.output).toContain('data/b');
  expect(merged.output).toContain("get them with 'dag pull'");
  // The listing came with the merge, the file of it that is missing is named; what is here stays.
  expect(data(bob)).toEqual(['a', 'c']);
  await dagOk(bob, ['pull', '-q']);
  expect(data(bob)).toEqual(['a', 'b', 'c']);
  expect((await bob.repro()).ran).toEqual(['list']);
  expect(bob.read('names')).toBe('a\nb\nc\n');
});

test('a rebase puts the data of its last commit in place', async () => {
  const { ann, bob, git } = await diverged({ 'data/b': 'Ann\n' }, { 'data/c': 'Bob\n' });
  await dagOk(bob, ['fetch', '-q']);
  expect(git('pull', '-q', '--rebase', ann.root, 'main').status).toBe(0);
  await dagOk(bob, ['pull', '-q']);
  expect(data(bob)).toEqual(['a', 'b', 'c']);
  expect((await bob.repro()).ran).toEqual(['list']);
  expect(bob.git('log', '--format=%s')).toBe('of Bob\nof Ann\nfirst\n');
});

test('a file that both changed stops a rebase; --theirs is what the commit that is applied says', async () => {
  const { ann, bob, git } = await diverged({ 'data/a': 'Ann\n', 'data/b': 'Ann\n' }, { 'data/a': 'Bob\n' });
  const stopped = git('pull', '-q', '--rebase', ann.root, 'main');
  expect(stopped.status).toBe(1);
  expect(stopped.output).toContain('pipeline.lock: conflict in data: both sides changed a in it');
  expect((await bob.dag(['status'])).stderr).toContain("'dag lock resolve' merges it entry by entry");
  await dagOk(bob, ['lock', 'resolve', '--theirs']);
  expect(git('add', 'pipeline.lock').status).toBe(0);
  expect(git('rebase', '--continue')).toMatchObject({ status: 0 });
  expect(bob.read('data/a')).toBe('Bob\n');
  expect((await bob.repro()).failed).toEqual([]);
  expect((await bob.dag(['status', '-q'])).status).toBe(0);
});

test('a folder whose listings nobody has is a conflict that says so', async () => {
  const [ann, bob] = await both();
  await commitAll(ann, 'of Ann, not pushed', { 'data/b': 'Ann\n' });
  await commitAll(bob, 'of Bob', { 'data/c': 'Bob\n' });
  const failed = gitIn(bob)('pull', '-q', '--no-rebase', '--no-edit', ann.root, 'main');
  expect(failed.status).toBe(1);
  expect(failed.output).toContain('neither the cache nor a remote has the listings');
  await dagOk(ann, ['push', '-q']);
  expect((await dagOk(bob, ['lock', 'resolve'])).stdout).toContain("pipeline.lock is merged: 'git add' it.");
  await dagOk(bob, ['pull', '-q']);
  expect(data(bob)).toEqual(['a', 'b', 'c']);
});

test('a cherry-picked commit brings its data along with the next checkout', async () => {
  const [ann, bob] = await both();
  await commitAll(ann, 'b', { 'data/b': 'Ann\n' });
  await commitAll(ann, 'picked', { 'data/d': 'Ann\n' });
  await dagOk(ann, ['push', '-q', '-A']);
  await commitAll(bob, 'of Bob', { 'data/c': 'Bob\n' });
  const git = gitIn(bob);
  expect(git('fetch', '-q', ann.root, 'main').status).toBe(0);
  // Of the folder it takes what the commit changed, and not what lies between: b is not Bob's.
  expect(git('cherry-pick', 'FETCH_HEAD')).toMatchObject({ status: 0 });
  await dagOk(bob, ['pull', '-q']);
  expect(data(bob)).toEqual(['a', 'c', 'd']);
  expect((await bob.repro()).ran).toEqual(['list']);
});

test('repro in the middle of a merge or rebase takes the data that git merged, and does not record what was there before', async () => {
  for (const how of ['--no-rebase', '--rebase']) {
    const { ann, bob, git } = await diverged(
      { 'data/b': 'Ann\n', README: 'Ann\n' },
      { 'data/c': 'Bob\n', README: 'Bob\n' },
    );
    await dagOk(bob, ['fetch', '-q']);
    expect(git('pull', '-q', '--no-edit', how, ann.root, 'main').output).toContain('README');
    expect(data(bob)).toEqual(['a', 'c']);
    const lock = bob.read('pipeline.lock');
    const status = await dagOk(bob, ['status']);
    expect(status.stderr).toContain(
      "git changed what pipeline.lock says of 'data': 'dag checkout', or 'dag repro', puts that in place",
    );
    // The file that Ann pushed is not in Bob's cache yet.
    const refused = await bob.dag(['repro']);
    expect([refused.status, refused.stderr]).toEqual([2, expect.stringContaining("'dag pull data'")]);
    expect([bob.read('pipeline.lock'), data(bob)]).toEqual([lock, ['a', 'c']]);
    expect((await dagOk(bob, ['repro', '--pull'])).stdout).toContain('data as git changed it in pipeline.lock');
    expect([data(bob), bob.read('names')]).toEqual([['a', 'b', 'c'], 'a\nb\nc\n']);
    bob.write('data/d', 'of the merge\n');
    expect((await dagOk(bob, ['repro'])).stdout).toContain('data as it stands now');
    bob.git('add', '-A');
    expect(git(how === '--rebase' ? 'rebase' : 'merge', '--continue')).toMatchObject({ status: 0 });
    expect(data(bob)).toEqual(['a', 'b', 'c', 'd']);
    expect((await bob.dag(['status', '-q'])).status).toBe(0);
  }
});

test('a lock is not merged file by file while params.yaml is in conflict, which is said; then it is', async () => {
  const bob = await one();
  const git = gitIn(bob);
  await dagOk(bob, ['install', '--uninstall']);
  bob.write('params.yaml', 'n: 1\n');
  await commitAll(bob, 'params');
  git('checkout', '-q', '-b', 'other');
  await commitAll(bob, 'other', { 'data/b': 'b\n', 'params.yaml': 'n: 2\n' });
  git('checkout', '-q', 'main');
  await dagOk(bob, ['checkout', '-q']);
  await commitAll(bob, 'main', { 'data/c': 'c\n', 'params.yaml': 'n: 3\n' });
  expect(git('merge', 'other').status).toBe(1);
  const early = await bob.dag(['lock', 'resolve']);
  expect([early.status, early.stderr]).toEqual([
    1,
    expect.stringContaining('settle what keeps the project from being read'),
  ]);
  bob.write('params.yaml', 'n: 4\n');
  await dagOk(bob, ['lock', 'resolve']);
  expect((await dagOk(bob, ['repro'])).stdout).toContain('data as git changed it');
  expect(bob.read('names')).toBe('a\nb\nc\n');
});

test('git stash takes the lock back and brings it again; dag checkout follows, and loses nothing', async () => {
  const bob = await one();
  const git = gitIn(bob);
  bob.write('data/b', 'not committed\n');
  await dagOk(bob, ['repro', '-q']);
  bob.write('data/c', 'not recorded\n');
  expect(git('stash').status).toBe(0);
  const refused = await bob.dag(['checkout']);
  expect([refused.status, refused.stderr]).toEqual([
    1,
    expect.stringContaining("'data/c' has content that is nowhere"),
  ]);
  expect(data(bob)).toEqual(['a', 'b', 'c']);
  fs.rmSync(bob.path('data/c'));
  await dagOk(bob, ['checkout']);
  expect([data(bob), bob.read('names')]).toEqual([['a'], 'a\n']);
  expect(git('stash', 'pop').status).toBe(0);
  await dagOk(bob, ['checkout']);
  expect([data(bob), bob.read('names')]).toEqual([['a', 'b'], 'a\nb\n']);
  expect((await bob.repro()).skipped).toEqual(['list']);
});

test('git bisect, a detached HEAD and back', async () => {
  const ann = await one();
  for (const name of ['b', 'c', 'd']) await commitAll(ann, name, { [`data/${name}`]: `${name}\n` });
  const git = gitIn(ann);
  expect(git('bisect', 'start', 'HEAD', 'HEAD~3').status).toBe(0);
  const found = git('bisect', 'run', 'sh', '-c', '! grep -q c names');
  expect(found.output).toContain('is the first bad commit');
  expect(ann.git('log', '-1', '--format=%s', 'refs/bisect/bad')).toBe('c\n');
  expect(git('bisect', 'reset').status).toBe(0);
  expect([data(ann), ann.read('names')]).toEqual([['a', 'b', 'c', 'd'], 'a\nb\nc\nd\n']);
  expect((await ann.dag(['status', '-q'])).status).toBe(0);
});
