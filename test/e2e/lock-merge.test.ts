import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { scrubbedEnv } from '../rigs/dag.ts';
import { makeProject, type TestProject } from '../rigs/project.ts';

let project: TestProject;
afterEach(() => project.remove());

function git(...args: string[]) {
  const env = scrubbedEnv(project.home);
  const { status, stdout, stderr } = spawnSync('git', args, { cwd: project.root, env, encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

async function dag(...args: string[]) {
  const ended = await project.dag(args);
  expect(ended).toMatchObject({ status: 0 });
  return ended;
}

const PIPELINE = `stages:
  first: {cmd: cp in1 out1, deps: [in1], outs: [out1]}
  second: {cmd: cp in2 out2, deps: [in2], outs: [out2]}
  last: {cmd: cat out1 out2 > out, deps: [out1, out2], outs: [out]}
data: [data]
`;

type Files = Readonly<Record<string, string>>;

async function commit(files: Files): Promise<void> {
  for (const [file, text] of Object.entries(files)) project.write(file, text);
  if (Object.keys(files).some((file) => file.startsWith('data/'))) await dag('add', 'data');
  expect(await project.repro()).toMatchObject({ status: 0 });
  project.git('add', '.');
  project.git('commit', '-qm', Object.keys(files).join());
}

/** Two branches that each changed something; `main` is checked out. */
async function diverged(ours: Files, theirs: Files, installs = true): Promise<void> {
  project = makeProject();
  await dag('init');
  if (installs) await dag('install');
  project.write('pipeline.yaml', PIPELINE);
  await commit({ in1: '1\n', in2: '1\n', 'data/a': '1\n', 'data/b': '1\n' });
  project.git('checkout', '-qb', 'other');
  await commit(theirs);
  project.git('checkout', '-q', 'main');
  await dag('checkout');
  await commit(ours);
}

describe('with the merge driver', () => {
  test('stages that each side ran are merged, and only what needs both runs', async () => {
    await diverged({ in1: 'ours\n' }, { in2: 'theirs\n' });
    const merged = git('merge', '-m', 'merge', 'other');
    expect(merged).toMatchObject({ status: 0, output: expect.stringContaining('both sides ran last; taken out') });
    expect([project.read('out1'), project.read('out2')]).toEqual(['ours\n', 'theirs\n']);
    expect(await project.repro()).toMatchObject({ ran: ['last'], skipped: ['first', 'second'] });
    expect(project.read('out')).toBe('ours\ntheirs\n');
  });

  test('a folder that both changed is merged file by file', async () => {
    await diverged({ 'data/a': 'ours\n', 'data/new1': 'n\n' }, { 'data/b': 'theirs\n', 'data/new2': 'n\n' });
    expect(git('merge', '-m', 'merge', 'other')).toMatchObject({ status: 0 });
    expect(fs.readdirSync(project.path('data')).sort()).toEqual(['a', 'b', 'new1', 'new2']);
    expect([project.read('data/a'), project.read('data/b')]).toEqual(['ours\n', 'theirs\n']);
    expect((await dag('status')).stdout).toBe('Everything is up to date.\n');
    expect((await dag('fsck')).stdout).not.toContain('damaged');
  });

  test.each([
    ['--ours', 'ours\n'],
    ['--theirs', 'theirs\n'],
  ])('a file that both changed is for a person to choose: %s', async (flag, text) => {
    await diverged({ 'data/a': 'ours\n', in1: 'ours\n' }, { 'data/a': 'theirs\n', in2: 'theirs\n' });
    const merged = git('merge', '-m', 'merge', 'other');
    expect(merged.status).toBe(1);
    expect(merged.output).toContain('conflict in data: both sides changed a in it');
    expect(project.read('pipeline.lock').match(/^[<=>]{7}/gm)).toHaveLength(3);
    expect(await project.dag(['status'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('dag lock resolve'),
    });
    expect(await project.dag(['lock', 'resolve'])).toMatchObject({ status: 1 });
    expect((await dag('lock', 'resolve', flag)).stdout).toBe("pipeline.lock is merged: 'git add' it.\n");
    await dag('checkout');
    expect([project.read('data/a'), project.read('out1'), project.read('out2')]).toEqual([text, 'ours\n', 'theirs\n']);
    project.git('commit', '-qam', 'merge');
    expect(await project.repro()).toMatchObject({ status: 0, ran: ['last'] });
  });

  test('a rebase and a cherry-pick go through', async () => {
    await diverged({ in1: 'ours\n' }, { in2: 'theirs\n' });
    expect(git('rebase', 'other')).toMatchObject({ status: 0 });
    expect([project.read('out1'), project.read('out2')]).toEqual(['ours\n', 'theirs\n']);
    project.git('checkout', '-q', '-b', 'third', 'other');
    expect(git('cherry-pick', 'main')).toMatchObject({ status: 0 });
  });

  test('a lock that is none is merged line by line', async () => {
    await diverged({ in1: 'ours\n' }, { in2: 'theirs\n' });
    project.write('pipeline.lock', `${project.read('pipeline.lock')}  nonsense\n`);
    project.git('commit', '-qam', 'broken', '--no-verify');
    const merged = git('merge', '-m', 'merge', 'other');
    expect(merged).toMatchObject({ status: 1, output: expect.stringContaining('no sound lock') });
    expect(project.read('pipeline.lock')).toContain('<<<<<<<');
  });

  test('git merges without it where dag is gone', async () => {
    await diverged({ in1: 'ours\n' }, { in2: 'theirs\n' });
    const run = project.path('.git/dag/run');
    fs.writeFileSync(run, fs.readFileSync(run, 'utf8').replace(/^if \[ -x '.*$/m, ''));
    const merged = git('merge', '-m', 'merge', 'other');
    expect(merged).toMatchObject({ status: 1, output: expect.stringContaining('dag is not found') });
    expect(project.read('pipeline.lock')).toContain('<<<<<<<');
  });
});

describe('dag lock resolve', () => {
  test.each(['merge', 'diff3'])('merges what git marked, in the style %s', async (style) => {
    await diverged({ in1: 'ours\n', 'data/new1': 'n\n' }, { in2: 'theirs\n', 'data/new2': 'n\n' }, false);
    project.git('config', 'merge.conflictStyle', style);
    expect(git('merge', '-m', 'merge', 'other').status).toBe(1);
    const ended = await dag('lock', 'resolve');
    expect(ended.stderr).toContain('both sides ran last; taken out');
    project.git('commit', '-qam', 'merge');
    await dag('checkout');
    expect(fs.readdirSync(project.path('data')).sort()).toEqual(['a', 'b', 'new1', 'new2']);
    expect(await project.repro()).toMatchObject({ status: 0, ran: ['last'], skipped: ['first', 'second'] });
    expect((await dag('lock', 'resolve')).stdout).toBe('No pipeline.lock holds a conflict.\n');
  });

  test('takes a side that has nothing left', async () => {
    project = makeProject();
    await dag('init');
    const lock = (lines: string): string => `schema: 1\ndata:\n${lines}`;
    const entry = `  a: {digest: 'blake3:${'0'.repeat(64)}', size: 1}\n`;
    project.write('pipeline.lock', lock(`<<<<<<< HEAD\n=======\n${entry}>>>>>>> other\n`));
    await dag('lock', 'resolve');
    expect(project.read('pipeline.lock')).toBe(lock(entry));
  });

  test('says what it did as JSON, and refuses what is no lock', async () => {
    await diverged({ 'data/a': 'ours\n' }, { 'data/a': 'theirs\n' }, false);
    git('merge', '-m', 'merge', 'other');
    const ended = await project.dag(['lock', 'resolve', '--json']);
    expect(ended).toMatchObject({
      status: 1,
      events: [{ event: 'summary', file: 'pipeline.lock', stale: [], conflicts: ['data'] }],
    });
    expect(await project.dag(['lock', 'resolve', 'in1'])).toMatchObject({ status: 2 });
    expect(await project.dag(['lock', 'resolve', '--ours', '--theirs'])).toMatchObject({ status: 2 });
  });
});
