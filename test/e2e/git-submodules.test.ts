import fs from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { commitAll, dagOk, gitIn, listingProject } from '../rigs/git.ts';
import { makeProject, type TestProject } from '../rigs/project.ts';

const made: TestProject[] = [];
afterEach(() => {
  for (const project of made.splice(0)) project.remove();
});

const FROM_FILES = ['-c', 'protocol.file.allow=always'];

/** A project that has another one, of two commits, as a submodule in `lib/sub`. */
async function withSubmodule() {
  const inner = await listingProject();
  await commitAll(inner, 'second', { 'data/b': 'two\n' });
  await dagOk(inner, ['push', '-q', '-A']);
  const outer = makeProject();
  made.push(inner, outer);
  await dagOk(outer, ['init', '-q']);
  outer.write('file', 'x\n');
  await dagOk(outer, ['add', '-q', 'file']);
  outer.git(...FROM_FILES, 'submodule', '--quiet', 'add', inner.root, 'lib/sub');
  outer.git('add', '-A');
  outer.git('commit', '-qm', 'with a submodule');
  return { inner, outer, sub: { cwd: 'lib/sub' }, git: gitIn(outer, 'lib/sub') };
}

test('a project in a submodule is one of its own, with hooks of its own', async () => {
  const { outer, sub, git } = await withSubmodule();
  await dagOk(outer, ['pull', '-q'], sub);
  expect(outer.read('lib/sub/names')).toBe('a\nb\n');
  await dagOk(outer, ['install'], sub);
  expect(fs.existsSync(outer.path('.git/modules/lib/sub/hooks/post-checkout'))).toBe(true);
  expect(fs.existsSync(outer.path('.git/hooks/post-checkout'))).toBe(false);
  await dagOk(outer, ['fetch', '-q', '-A'], sub);
  expect(git('checkout', '-q', 'HEAD~1')).toMatchObject({ status: 0 });
  expect([outer.read('lib/sub/names'), outer.exists('lib/sub/data/b')]).toEqual(['a\n', false]);
  // git submodule update runs the hook as well.
  expect(gitIn(outer)('submodule', 'update', '-q')).toMatchObject({ status: 0 });
  expect(outer.read('lib/sub/names')).toBe('a\nb\n');
  expect((await outer.dag(['status', '-q'], sub)).status).toBe(0);
  await dagOk(outer, ['install', '--uninstall'], sub);
  expect(fs.existsSync(outer.path('.git/modules/lib/sub/hooks/post-checkout'))).toBe(false);
});

test('a project that holds a submodule has nothing of its stages, and may read its files', async () => {
  const { outer, sub } = await withSubmodule();
  const { stdout } = await dagOk(outer, ['graph', '--json']);
  expect((JSON.parse(stdout) as { stages: unknown[] }).stages).toEqual([]);
  await dagOk(outer, ['pull', '-q'], sub);
  await dagOk(outer, [
    'stage',
    'add',
    '-q',
    '-n',
    'use',
    '-d',
    'lib/sub/data',
    '-o',
    'copy',
    'cat lib/sub/data/* > copy',
  ]);
  expect((await outer.repro()).ran).toEqual(['use']);
  expect(outer.read('copy')).toBe('one\ntwo\n');
  await dagOk(outer, ['gc', '-A', '-f']);
  expect((await outer.repro()).skipped).toEqual(['use']);
  // What is git's there is not ours to take.
  const refused = await outer.dag(['add', 'lib']);
  expect([refused.status, refused.stderr]).toEqual([2, expect.stringContaining("'lib' is tracked by git")]);
  expect(gitIn(outer, 'lib/sub')('status', '--porcelain')).toMatchObject({ output: '' });
});

test('a work tree of a submodule shares the cache of the submodule', async () => {
  const { outer, sub, git } = await withSubmodule();
  await dagOk(outer, ['pull', '-q'], sub);
  expect(git('worktree', 'add', '-q', outer.path('beside'), 'HEAD')).toMatchObject({ status: 0 });
  expect(await outer.dag(['checkout'], { cwd: 'beside' })).toMatchObject({ status: 0, stdout: 'A  names\nA  data\n' });
  expect(outer.exists('beside/.cache/objects')).toBe(false);
});
