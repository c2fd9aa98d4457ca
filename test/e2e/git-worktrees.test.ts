import fs from 'node:fs';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { commitAll, dagOk, gitIn, listingProject } from '../rigs/git.ts';
import { holdCommands } from '../rigs/held.ts';
import type { RunOptions, TestProject } from '../rigs/project.ts';

let project: TestProject;
afterEach(() => project.remove());

/** A folder beside the project, and how to work in it. */
function beside(name: string) {
  const folder = path.join(project.home, name);
  const cwd = path.relative(project.root, folder);
  return {
    folder,
    git: gitIn(project, cwd),
    dag: (args: readonly string[], options: RunOptions = {}) => project.dag(args, { ...options, cwd }),
    read: (file: string) => fs.readFileSync(path.join(folder, file), 'utf8'),
    has: (file: string) => fs.existsSync(path.join(folder, file)),
  };
}

test('runs in two work trees at once don’t wait for each other, and one has what the other made', async () => {
  project = await listingProject();
  const held = await holdCommands();
  const stage = `  slow: {cmd: ${JSON.stringify(`${held.command('slow')} && cat data/a > out`)}, deps: [data], outs: [out]}\n`;
  project.write('pipeline.yaml', project.read('pipeline.yaml').replace('stages:\n', `stages:\n${stage}`));
  project.git('commit', '-qam', 'slow');
  const second = beside('second');
  expect(gitIn(project)('worktree', 'add', '-q', '-b', 'other', second.folder)).toMatchObject({ status: 0 });
  expect(await second.dag(['checkout', 'data'])).toMatchObject({ status: 0 });
  fs.writeFileSync(path.join(second.folder, 'data/a'), 'two\n');
  const first = project.start(['repro', 'slow', '--json']);
  const running = await held.started('slow');
  const inSecond = project.start(['repro', '--json'], { cwd: path.relative(project.root, second.folder) });
  await expect.poll(() => held.running()).toEqual(['slow', 'slow']);
  (await held.started('slow')).release();
  expect((await inSecond.ended).status).toBe(0);
  expect([second.read('out'), second.read('names'), project.exists('out')]).toEqual(['two\n', 'a\n', false]);
  running.release();
  expect((await first.ended).status).toBe(0);
  expect(project.read('out')).toBe('one\n');
  await held.close();
  // What the one ran the other has.
  project.write('data/a', 'two\n');
  expect((await project.repro()).restored).toContain('slow');
});

test('work trees of a bare repository share a cache beside git’s objects, which stays when the hooks go', async () => {
  project = await listingProject();
  for (const [repository, inWork] of [
    ['bare.git', 'one'],
    ['layout/.git', 'layout/main'],
  ] as const) {
    const bare = beside(repository);
    expect(gitIn(project)('clone', '-q', '--bare', project.root, bare.folder)).toMatchObject({ status: 0 });
    const [main, other] = [beside(inWork), beside(`${inWork}-other`)];
    expect(bare.git('worktree', 'add', '-q', main.folder, 'main')).toMatchObject({ status: 0 });
    expect(await main.dag(['pull', '-q'])).toMatchObject({ status: 0 });
    expect(await main.dag(['install'])).toMatchObject({ status: 0 });
    expect(bare.git('worktree', 'add', '-q', '-b', 'other', other.folder)).toMatchObject({ status: 0 });
    expect(other.read('names')).toBe('a\n');
    expect([main.has('.cache/objects'), other.has('.cache/objects'), bare.has('dag-cache/objects')]).toEqual([
      false,
      false,
      true,
    ]);
    fs.writeFileSync(path.join(other.folder, 'data/b'), 'b\n');
    expect(await other.dag(['repro', '-q'])).toMatchObject({ status: 0 });
    expect(await main.dag(['gc', '-w', '-f', '--runs'])).toMatchObject({ status: 0 });
    expect(await main.dag(['install', '--uninstall'])).toMatchObject({ status: 0 });
    fs.rmSync(path.join(other.folder, 'data'), { recursive: true });
    expect(await other.dag(['checkout'])).toMatchObject({ status: 0 });
    expect(other.has('data/b')).toBe(true);
  }
});

test('a repository that GIT_DIR and GIT_WORK_TREE name is the project’s', async () => {
  project = await listingProject();
  const [work, elsewhere] = [beside('work'), path.join(project.home, 'elsewhere')];
  expect(gitIn(project)('clone', '-q', project.root, work.folder)).toMatchObject({ status: 0 });
  fs.renameSync(path.join(work.folder, '.git'), elsewhere);
  const env = { GIT_DIR: elsewhere, GIT_WORK_TREE: work.folder };
  const git = gitIn(project, path.relative(project.root, work.folder), env);
  expect(await work.dag(['pull', '-q'], { env })).toMatchObject({ status: 0 });
  fs.writeFileSync(path.join(work.folder, 'more'), 'more\n');
  expect(await work.dag(['add', 'more'], { env })).toMatchObject({ status: 0 });
  expect(git('status', '--porcelain').output).toBe(' M .gitignore\n M pipeline.lock\n M pipeline.yaml\n');
  expect((await work.dag(['diff', 'HEAD'], { env })).stdout).toContain('more');
  expect(await work.dag(['install'], { env })).toMatchObject({ status: 0 });
  expect(fs.existsSync(path.join(elsewhere, 'hooks/post-checkout'))).toBe(true);
  git('commit', '-qam', 'more');
  expect(git('checkout', '-q', 'HEAD~1')).toMatchObject({ status: 0 });
  expect(work.has('more')).toBe(false);
  expect(git('checkout', '-q', 'main')).toMatchObject({ status: 0 });
  expect(work.read('more')).toBe('more\n');
});

test('where git trusts the folder not, what needs git says how to trust it, and all else works', async () => {
  project = await listingProject();
  const env = { GIT_TEST_ASSUME_DIFFERENT_OWNER: '1' };
  for (const args of [['diff', 'HEAD'], ['install'], ['gc', '-A', '-f'], ['push', '-A']]) {
    const ended = await project.dag(args, { env });
    expect([args[0], ended.status]).toEqual([args[0], 3]);
    expect(ended.stderr).toContain(`'git config --global --add safe.directory ${project.root}' trusts it`);
  }
  project.write('data/b', 'b\n');
  expect((await project.repro([], { env })).ran).toEqual(['list']);
  expect((await project.dag(['push'], { env })).status).toBe(0);
  expect((await project.dag(['status', '-q'], { env })).status).toBe(0);
});

test('names that git quotes, and line ends that git changes, are told from no change', async () => {
  project = await listingProject();
  await commitAll(project, 'odd', { 'data/ä "q"\t日本': '1\n', 'data/new\nline': '2\n' });
  await dagOk(project, ['push', '-q']);
  const odd = 'dï r/tab\there';
  project.write(odd, 'kept by git\n');
  project.git('add', '-A');
  project.git('commit', '-qm', 'in git');
  const refused = await project.dag(['add', odd]);
  expect([refused.status, refused.stderr]).toEqual([2, expect.stringContaining('is tracked by git')]);
  const { stdout } = await dagOk(project, ['diff', 'HEAD~2', '--json']);
  const added = (JSON.parse(stdout) as { added: { path: string }[] }).added.map((one) => one.path);
  expect(added.toSorted()).toEqual(['data/new\nline', 'data/ä "q"\t日本']);
  const crlf = beside('crlf');
  const clone = gitIn(project)('clone', '-q', '-c', 'core.autocrlf=true', project.root, crlf.folder);
  expect([clone.status, crlf.read('pipeline.lock').includes('\r\n')]).toEqual([0, true]);
  expect(await crlf.dag(['pull', '-q'])).toMatchObject({ status: 0 });
  expect(await crlf.dag(['repro', '--json'])).toMatchObject({ stdout: expect.stringContaining('"skipped":["list"]') });
  expect(crlf.git('status', '--porcelain').output).toBe('');
  fs.writeFileSync(path.join(crlf.folder, 'data/z'), 'z\n');
  expect(await crlf.dag(['repro', '-q'])).toMatchObject({ status: 0 });
  expect(crlf.git('diff', '--stat').output).toMatch(/pipeline\.lock \| \d+ [+-]+\n 1 file changed/);
  expect(crlf.git('diff', '--numstat').output).toMatch(/^3\t3\t/m);
});
