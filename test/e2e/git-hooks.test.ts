import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { scrubbedEnv } from '../rigs/dag.ts';
import { makeProject, type TestProject } from '../rigs/project.ts';

let project: TestProject;
afterEach(() => project.remove());

const ALL = ['post-checkout', 'post-commit', 'post-merge', 'post-rewrite', 'pre-commit', 'pre-push'];

/** Git, however it ends. */
function git(...args: string[]) {
  const { status, stdout, stderr } = spawnSync('git', args, {
    cwd: project.root,
    env: scrubbedEnv(project.home),
    encoding: 'utf8',
  });
  return { status, output: stdout + stderr };
}

async function dag(...args: string[]) {
  const ended = await project.dag(args);
  expect(ended).toMatchObject({ status: 0 });
  return ended;
}

/** Writes files of a tracked folder, tracks it, and commits. A text of undefined deletes. */
async function commit(message: string, files: Readonly<Record<string, string | undefined>>): Promise<void> {
  for (const [file, text] of Object.entries(files)) {
    if (text === undefined) fs.rmSync(project.path(file));
    else project.write(file, text);
  }
  await dag('add', 'data');
  project.git('add', '.');
  project.git('commit', '-qm', message);
}

/** A project with tracked data on `main`, and other data on `other`. */
async function started(): Promise<void> {
  project = makeProject();
  await dag('init');
  await commit('first', { 'data/a': 'one\n', 'data/b': 'one\n' });
  project.git('checkout', '-qb', 'other');
  await commit('second', { 'data/a': 'two\n', 'data/c': 'two\n' });
  project.git('checkout', '-q', 'main');
  await dag('checkout');
}

const data = (): string[] => fs.readdirSync(project.path('data')).sort();

describe('installed hooks', () => {
  test('put the data of a branch, a merge and a rebase in place', async () => {
    await started();
    await dag('install');
    expect(git('checkout', 'other')).toMatchObject({ status: 0, output: expect.stringContaining('M  data') });
    expect([data(), project.read('data/a')]).toEqual([['a', 'b', 'c'], 'two\n']);
    project.git('checkout', '-q', 'main');
    expect([data(), project.read('data/a')]).toEqual([['a', 'b'], 'one\n']);
    project.git('merge', '-q', 'other');
    expect(data()).toEqual(['a', 'b', 'c']);

    project.git('checkout', '-q', '-b', 'third', 'main~1');
    await commit('third', { 'data/d': 'three\n' });
    expect(git('rebase', 'main')).toMatchObject({ status: 0 });
    expect(data()).toEqual(['a', 'b', 'c', 'd']);
    expect((await dag('status')).stdout).toBe('Everything is up to date.\n');
    project.git('commit', '-q', '--amend', '-m', 'reworded');
  });

  test('put data in place where a rebase only moves the branch forward', async () => {
    await started();
    await dag('install');
    expect(git('rebase', 'other')).toMatchObject({ status: 0 });
    expect([data(), project.read('data/a')]).toEqual([['a', 'b', 'c'], 'two\n']);
  });

  test('put the data of a squashed merge in place, which is no commit yet', async () => {
    await started();
    await commit('main', { 'data/d': 'one\n' });
    await dag('install');
    expect(git('merge', '--squash', 'other')).toMatchObject({ status: 0, output: expect.stringContaining('M  data') });
    expect(data()).toEqual(['a', 'b', 'c', 'd']);
    project.git('commit', '-qm', 'squashed');
    expect((await dag('status')).stdout).toBe('Everything is up to date.\n');
  });

  test('put data in place at the commit that ends a merge or a cherry-pick with conflicts', async () => {
    await started();
    await dag('install');
    for (const [command, name] of [
      ['merge', 'merged'],
      ['cherry-pick', 'picked'],
    ] as const) {
      project.git('checkout', '-q', '-b', name, 'main');
      await commit('mine', { 'data/d': 'mine\n', README: 'mine\n' });
      project.git('checkout', '-q', 'other');
      project.write('README', 'theirs\n');
      project.git('add', 'README');
      project.git('commit', '-q', '--amend', '--no-edit');
      project.git('checkout', '-q', name);
      expect(git(command, 'other')).toMatchObject({ status: 1, output: expect.stringContaining('README') });
      expect(data()).toEqual(['a', 'b', 'd']);
      project.write('README', 'both\n');
      project.git('add', 'README');
      expect(git('commit', '-q', '--no-edit').output).toContain('M  data');
      expect(data()).toEqual(['a', 'b', 'c', 'd']);
      expect((await dag('status')).stdout).toBe('Everything is up to date.\n');
    }
    project.git('revert', '--no-edit', 'HEAD');
    expect(data()).toEqual(['a', 'b', 'd']);
  });

  test('start nothing where no pipeline.yaml or pipeline.lock differs', async () => {
    await started();
    await dag('install');
    fs.writeFileSync(project.path('.git/dag/run'), '#!/bin/sh\necho "$@" >> called\n');
    project.write('README', 'text\n');
    project.git('checkout', '-q', '-b', 'docs');
    project.git('add', 'README');
    project.git('commit', '-qm', 'docs', '--no-verify');
    project.git('checkout', '-q', 'main');
    project.git('merge', '-q', 'docs');
    project.git('checkout', '-q', '--', 'README');
    expect(project.exists('called')).toBe(false);
    project.git('checkout', '-q', 'other');
    expect(project.read('called')).toMatch(/^hook post-checkout [0-9a-f]+ [0-9a-f]+ 1\n$/);
  });

  test('leave edits alone, and let git go on where data is missing', async () => {
    await started();
    await dag('install');
    project.write('data/a', 'edited\n');
    const edited = git('checkout', 'other');
    expect(edited).toMatchObject({ status: 0, output: expect.stringContaining('dag checkout -f') });
    expect(project.read('data/a')).toBe('edited\n');
    project.write('data/a', 'one\n');
    project.git('checkout', '-q', 'main');
    for (const folder of ['objects', 'packs'])
      fs.rmSync(project.path('.cache', folder), { recursive: true, force: true });
    expect(git('checkout', 'other')).toMatchObject({ status: 0, output: expect.stringContaining('dag pull') });
  });

  test('show before a commit what is not recorded', async () => {
    await started();
    await dag('install');
    project.write('README', 'text\n');
    project.git('add', 'README');
    expect(git('commit', '-m', 'nothing to tell').output).not.toContain('dag');
    project.write('data/a', 'edited\n');
    expect(git('commit', '--allow-empty', '-m', 'something to tell')).toMatchObject({
      status: 0,
      output: expect.stringMatching(/dag status: not recorded[\s\S]*data modified/),
    });
  });

  test('push data before git pushes, and stop git where that fails', async () => {
    await started();
    const bare = path.join(project.home, 'bare');
    execFileSync('git', ['init', '-q', '--bare', bare]);
    project.git('remote', 'add', 'origin', bare);
    await dag('install');
    expect(git('push', 'origin', 'main')).toMatchObject({
      status: 0,
      output: expect.stringContaining('no remote is set'),
    });
    await dag('remote', 'add', '-d', 'store', '../store');
    expect(git('push', 'origin', 'other')).toMatchObject({
      status: 0,
      output: expect.stringContaining('2 objects sent'),
    });
    fs.rmSync(project.path('../store'), { recursive: true });
    fs.writeFileSync(project.path('../store'), 'no folder');
    project.git('commit', '-q', '--allow-empty', '-m', 'more');
    const failed = git('push', 'origin', 'main');
    expect(failed.status).not.toBe(0);
    expect(failed.output).toContain('error: ');
    expect(git('push', '--no-verify', 'origin', 'main').status).toBe(0);
  });
});

describe('install', () => {
  test('says what it placed, a second time too, and takes all of it away', async () => {
    await started();
    const before = fs.readdirSync(project.path('.git/hooks'));
    fs.mkdirSync(project.path('.git/info'), { recursive: true });
    fs.writeFileSync(project.path('.git/info/attributes'), '*.png binary');
    expect((await dag('install')).stdout).toMatchInlineSnapshot(`
      "post-checkout  checks out the data of what was checked out
      post-commit    checks out the data of what was merged by hand, or picked
      post-merge     checks out the data of what was merged
      post-rewrite   checks out the data of what was rebased
      pre-commit     shows what of stages and data is not recorded
      pre-push       pushes the data
      merge driver   merges pipeline.lock entry by entry
      "
    `);
    expect(project.git('status', '--porcelain')).toBe('');
    const [again] = (await dag('install', '--json')).events;
    expect(again).toMatchObject({ hooks: Object.fromEntries(ALL.map((name) => [name, 'there'])), advice: [] });
    expect(fs.readFileSync(project.path('.git/info/attributes'), 'utf8')).toBe(
      '*.png binary\npipeline.lock merge=dag-lock\n',
    );
    expect((await dag('install', '--uninstall')).stdout).toBe(`Took away: ${ALL.join(', ')}, merge driver.\n`);
    expect(fs.readdirSync(project.path('.git/hooks'))).toEqual(before);
    expect(fs.readFileSync(project.path('.git/info/attributes'), 'utf8')).toBe('*.png binary\n');
    expect(git('config', '--get-regexp', 'dag').output).toBe('');
    expect((await dag('install', '--uninstall')).stdout).toBe('There were no hooks.\n');
  });

  test.each([
    ['a script', '#!/bin/sh\nnpm test\n', '.git/hooks/pre-commit', 'dag hook pre-commit "$@"'],
    [
      'pre-commit',
      '#!/usr/bin/env bash\n# File generated by pre-commit: https://pre-commit.com\n',
      '.pre-commit-config.yaml',
      'entry: dag hook pre-commit',
    ],
    ['lefthook', '#!/bin/sh\ncall_lefthook run "pre-commit" "$@"\n', 'lefthook.yml', 'dag: {run: dag hook pre-commit}'],
  ])('keeps a hook of %s, and says what to add', async (_, text, where, line) => {
    await started();
    const file = project.path('.git/hooks/pre-commit');
    fs.writeFileSync(file, text, { mode: 0o755 });
    const ended = await project.dag(['install']);
    expect(ended).toMatchObject({ status: 1, stderr: expect.stringContaining(where) });
    expect(ended.stderr).toContain(line);
    expect(fs.readFileSync(file, 'utf8')).toBe(text);
    expect(fs.existsSync(project.path('.git/hooks/post-checkout'))).toBe(true);
    fs.appendFileSync(file, 'dag hook pre-commit "$@"\n');
    await dag('install');
    await dag('install', '--uninstall');
    expect(fs.existsSync(file)).toBe(true);
  });

  test("goes where git's configuration says that hooks are", async () => {
    await started();
    project.git('config', 'core.hooksPath', '.husky/_');
    project.write('.husky/_/post-checkout', '#!/usr/bin/env sh\n. "$(dirname "$0")/h"\n');
    expect(await project.dag(['install'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('Add to .husky/post-checkout:\n  dag hook post-checkout "$@"\n'),
    });
    expect(fs.readdirSync(project.path('.husky/_')).sort()).toEqual(ALL);
  });

  test('serves several projects of one repository', async () => {
    project = makeProject();
    for (const name of ['one', 'two']) {
      fs.mkdirSync(project.path(name));
      const run = { cwd: name };
      for (const args of [['init'], ['add', 'data'], ['install']]) {
        project.write(`${name}/data/a`, name);
        expect(await project.dag(args, run)).toMatchObject({ status: 0 });
      }
    }
    project.git('add', '.');
    project.git('commit', '-qm', 'both');
    project.git('checkout', '-qb', 'other');
    for (const name of ['one', 'two']) {
      project.write(`${name}/data/a`, 'changed');
      await project.dag(['add', 'data'], { cwd: name });
    }
    project.git('commit', '-qam', 'changed');
    project.git('checkout', '-q', 'main');
    expect([project.read('one/data/a'), project.read('two/data/a')]).toEqual(['one', 'two']);
    const first = await project.dag(['install', '--uninstall'], { cwd: 'one' });
    expect(first.stdout).toBe('Hooks and merge driver stay for two.\n');
  });

  test('outside git is refused', async () => {
    project = makeProject();
    await dag('init');
    fs.rmSync(project.path('.git'), { recursive: true });
    expect(await project.dag(['install'])).toMatchObject({ status: 2, stderr: expect.stringContaining('git init') });
  });
});

describe('work trees of one repository', () => {
  test('share the cache of the main one, and a gc in it keeps what they need', async () => {
    await started();
    await dag('install');
    const second = path.join(project.home, 'second');
    expect(git('worktree', 'add', '-q', second, 'other')).toMatchObject({ status: 0 });
    expect(fs.readdirSync(path.join(second, 'data')).sort()).toEqual(['a', 'b', 'c']);
    expect(fs.existsSync(path.join(second, '.cache/objects'))).toBe(false);
    fs.writeFileSync(path.join(second, 'data/only-here'), 'uncommitted\n');
    expect(await project.dag(['add', 'data'], { cwd: path.relative(project.root, second) })).toMatchObject({
      status: 0,
    });
    await dag('gc', '-w', '-f', '--runs');
    fs.rmSync(path.join(second, 'data'), { recursive: true });
    expect(await project.dag(['checkout'], { cwd: path.relative(project.root, second) })).toMatchObject({ status: 0 });
    expect(fs.readFileSync(path.join(second, 'data/only-here'), 'utf8')).toBe('uncommitted\n');
    project.git('worktree', 'remove', '--force', second);
    await dag('gc', '-w', '-f');
    expect(data()).toEqual(['a', 'b']);
  });
});
