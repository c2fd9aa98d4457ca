import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { ProjectPath, StageAddress } from '@dag/model';
import { loadPipeline } from '@dag/pipeline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  type CommitId,
  locksOf,
  openRepository,
  preloadRevisions,
  type Repository,
  revisionReader,
} from '../src/index.ts';

let base: string;
let project: string;
const env = {
  PATH: process.env['PATH'],
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'A',
  GIT_AUTHOR_EMAIL: 'a@example.com',
  GIT_COMMITTER_NAME: 'A',
  GIT_COMMITTER_EMAIL: 'a@example.com',
};

beforeEach(() => {
  base = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'dag-git-')));
  project = path.join(base, 'ein projekt');
  fs.mkdirSync(project);
  git('init', '-q', '-b', 'main');
});
afterEach(() => fs.rmSync(base, { recursive: true, force: true }));

function git(...args: string[]): string {
  return execFileSync('git', args, { cwd: base, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}

function write(file: string, text: string): void {
  fs.mkdirSync(path.dirname(path.join(project, file)), { recursive: true });
  fs.writeFileSync(path.join(project, file), text);
}

function commit(when: string): CommitId {
  git('add', '-A');
  const dated = { ...env, GIT_COMMITTER_DATE: when, GIT_AUTHOR_DATE: when };
  execFileSync('git', ['commit', '-q', '--allow-empty', '-m', when], { cwd: base, env: dated });
  return git('rev-parse', 'HEAD') as CommitId;
}

function open(): Repository {
  const repository = openRepository(project, env);
  if (repository === undefined) throw new Error('no repository');
  return repository;
}

function lockText(name: string, digit: string): string {
  return `schema: 1\ndata:\n  ${name}: {digest: 'blake3:${digit.repeat(64)}', size: 1}\n`;
}

test('names branches, tags, commits, and those before HEAD', () => {
  expect(open().prefix).toBe('ein projekt');
  expect([open().branches(), open().commits(), open().back(3), open().commitOf('HEAD')]).toEqual([
    [],
    [],
    [],
    undefined,
  ]);
  const one = commit('2024-01-01T00:00:00Z');
  git('tag', 'light');
  git('tag', '-a', '-m', 'x', 'heavy');
  git('checkout', '-q', '-b', 'side');
  const two = commit('2024-02-01T00:00:00Z');
  git('checkout', '-q', 'main');
  const three = commit('2024-03-01T00:00:00Z');
  git('checkout', '-q', '--detach');
  const four = commit('2024-04-01T00:00:00Z');
  const repository = open();
  expect(new Set(repository.branches())).toEqual(new Set([two, three, four]));
  expect(repository.tags()).toEqual([one]);
  expect(new Set(repository.commits())).toEqual(new Set([one, two, three, four]));
  expect(repository.commits(new Date('2024-03-01T00:00:00Z'))).toEqual(expect.arrayContaining([three, four]));
  expect(repository.commits(new Date('2024-03-01T00:00:00Z'))).not.toContain(two);
  expect(repository.back(2)).toEqual([four, three]);
  expect([repository.commitOf('heavy'), repository.commitOf('main~1'), repository.commitOf('--all')]).toEqual([
    one,
    one,
    undefined,
  ]);
});

test('reads the project as it stood at a commit', () => {
  write('pipeline.yaml', 'stages:\n  a: {cmd: "run ${x}", outs: [o]}\n');
  write('params.yaml', 'x: 1\n');
  write('sub/pipeline.yaml', 'stages:\n  b: {cmd: go, deps: [../o], outs: ["p q"]}\n');
  fs.symlinkSync('sub', path.join(project, 'link'));
  const one = commit('2024-01-01T00:00:00Z');
  write('params.yaml', 'x: 2\n');
  fs.rmSync(path.join(project, 'sub'), { recursive: true });
  commit('2024-02-01T00:00:00Z');
  const reader = revisionReader(open(), one);
  const { pipeline, diagnostics } = loadPipeline(reader);
  expect(diagnostics).toEqual([]);
  expect([...(pipeline?.stages.values() ?? [])].map(({ address, deps }) => [address, deps.length])).toEqual([
    ['a', 0],
    ['sub/pipeline.yaml:b', 1],
  ]);
  expect(
    pipeline?.used
      .get('a' as StageAddress)
      ?.get('params.yaml' as ProjectPath)
      ?.get('x'),
  ).toBe(1);
  expect(reader.list('' as ProjectPath).find(({ name }) => name === 'link')?.kind).toBe('other');
  expect(reader.read('nowhere/x' as ProjectPath)).toBeUndefined();
});

test('git is asked a depth at a time, for many commits at once; then for files that were not to be expected', () => {
  const commits = [1, 2, 3].map((n) => {
    for (const folder of ['', 'a/', 'a/b/', 'c/']) {
      write(`${folder}pipeline.yaml`, `metrics: [m.json]\n# ${n}\n`);
      write(`${folder}m.json`, `{"n": ${n}}`);
    }
    write('node_modules/p/pipeline.yaml', `# ${n}\n`);
    return commit(`2024-01-0${n}T00:00:00Z`);
  });
  const repository = open();
  let asked = 0;
  const counted: Repository = {
    ...repository,
    read: (ids) => {
      asked++;
      return repository.read(ids);
    },
  };
  const contents = new Map<string, Buffer>();
  preloadRevisions(counted, commits, contents);
  // The project's folder, and twice those below; each with its files.
  expect(asked).toBeLessThanOrEqual(6);
  asked = 0;
  const readers = commits.map((one) => revisionReader(counted, one, contents));
  const texts = readers.map((reader) => {
    expect(loadPipeline(reader).diagnostics).toEqual([]);
    return Buffer.from(reader.read('a/b/pipeline.yaml' as ProjectPath) ?? []).toString();
  });
  expect(texts).toEqual([1, 2, 3].map((n) => `metrics: [m.json]\n# ${n}\n`));
  expect(asked).toBe(0);
  const files = ['m.json', 'a/m.json', 'a/b/m.json', 'gone', 'c/m.json'] as ProjectPath[];
  readers[0]?.prefetch(files);
  expect(files.map((file) => readers[0]?.kind(file))).toEqual(['file', 'file', 'file', undefined, 'file']);
  expect(readers[0]?.read('c/m.json' as ProjectPath)?.toString()).toBe('{"n": 1}');
  expect(asked).toBe(1);
});

test('finds each lock once, and says where one is damaged', () => {
  write('pipeline.lock', lockText('a', '1'));
  write('deep/er/pipeline.lock', lockText('b', '2'));
  const one = commit('2024-01-01T00:00:00Z');
  write('pipeline.lock', lockText('a', '3'));
  const two = commit('2024-02-01T00:00:00Z');
  write('pipeline.lock', '<<<<<<< ours\n');
  const three = commit('2024-03-01T00:00:00Z');
  const locks = locksOf(open(), [three, two, one]);
  const found = locks.map(({ file, commit, lock }) => [
    file,
    commit,
    lock === undefined ? 'damaged' : [...lock.data.keys()],
  ]);
  expect(new Set(found.map(String))).toEqual(
    new Set(
      [
        ['pipeline.lock', three, 'damaged'],
        ['pipeline.lock', two, ['a']],
        ['pipeline.lock', one, ['a']],
        ['deep/er/pipeline.lock', three, ['deep/er/b']],
      ].map(String),
    ),
  );
  expect(locksOf(open(), [])).toEqual([]);
});

test('outside a work tree there is no repository', () => {
  const outside = fs.mkdtempSync(path.join(os.tmpdir(), 'dag-none-'));
  expect(openRepository(outside, env)).toBeUndefined();
  fs.rmSync(outside, { recursive: true });
});

test('a partial clone fetches what it lacks in one go, and a whole one asks nobody', () => {
  for (let at = 0; at < 5; at++) {
    fs.writeFileSync(
      path.join(project, 'pipeline.lock'),
      `schema: 1\ndata:\n  d: {digest: 'blake3:${String(at).repeat(64)}', size: ${at}}\n`,
    );
    git('add', '-A');
    git('commit', '-qm', `${at}`);
  }
  const hub = path.join(base, 'hub');
  git('clone', '-q', '--bare', base, hub);
  git('-C', hub, 'config', 'uploadpack.allowFilter', 'true');
  const fetches = (...flags: string[]): number => {
    const clone = fs.mkdtempSync(path.join(base, 'clone-'));
    execFileSync('git', ['clone', '-q', '--no-checkout', ...flags, `file://${hub}`, clone], { env });
    const trace = path.join(base, 'trace');
    fs.writeFileSync(trace, '');
    const repository = openRepository(clone, { ...env, GIT_TRACE: trace });
    if (repository === undefined) throw new Error('no repository');
    const locks = locksOf(repository, repository.commits());
    expect(locks.map(({ lock }) => lock?.data.size)).toEqual([1, 1, 1, 1, 1]);
    return fs
      .readFileSync(trace, 'utf8')
      .split('\n')
      .filter((line) => /built-in: git .*fetch /.test(line)).length;
  };
  expect([fetches('--filter=blob:none'), fetches()]).toEqual([1, 0]);
});
