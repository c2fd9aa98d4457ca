import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { ProjectPath } from '@dag/model';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { trackedByGit } from '../src/project/git.ts';

let base: string;
beforeEach(() => {
  base = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'dag-git-')));
  // Nothing of whoever runs this, nor of a git hook that does.
  for (const name of Object.keys(process.env)) if (name.startsWith('GIT_')) vi.stubEnv(name, undefined);
  vi.stubEnv('GIT_CONFIG_GLOBAL', '/dev/null');
  vi.stubEnv('GIT_CONFIG_NOSYSTEM', '1');
});
afterEach(() => {
  vi.unstubAllEnvs();
  fs.rmSync(base, { recursive: true, force: true });
});

const git = (...args: string[]) => execFileSync('git', ['-C', base, ...args], { stdio: 'pipe' });
const tracked = (paths: readonly string[], root = base) => [...trackedByGit(root, paths as ProjectPath[])].sort();

function write(...files: string[]): void {
  for (const file of files) {
    fs.mkdirSync(path.dirname(path.join(base, file)), { recursive: true });
    fs.writeFileSync(path.join(base, file), '');
  }
}

test('files that git tracks, and folders that hold some, whatever they are called', () => {
  git('init', '-q');
  write('a', 'folder/deep/b', '*', 'x y', ':(top)', 'é', 'project/c');
  git('--literal-pathspecs', 'add', 'a', 'folder', '*', 'x y', ':(top)', 'é', 'project/c');
  write('new', 'other/n', 'folder/new', 'z');
  const paths = ['a', 'folder', 'folder/deep', '*', 'x y', ':(top)', 'é'];
  expect(tracked([...paths, 'new', 'other', 'folder/new', 'nowhere', 'fold', '?'])).toEqual(paths.sort());
  expect(tracked(['c', 'a'], path.join(base, 'project'))).toEqual(['c']);
  expect(tracked([])).toEqual([]);
});

test('nothing is tracked outside git', () => {
  write('a');
  expect(tracked(['a', 'b'])).toEqual([]);
});

test('what lies in a repository inside this one hides nothing of the others', () => {
  git('init', '-q');
  write('a', 'inner/b');
  execFileSync('git', ['-C', path.join(base, 'inner'), 'init', '-q']);
  execFileSync('git', ['-C', path.join(base, 'inner'), 'add', 'b']);
  const author = ['-c', 'user.name=n', '-c', 'user.email=e'];
  execFileSync('git', ['-C', path.join(base, 'inner'), ...author, 'commit', '-qm', 'm']);
  git('add', 'a');
  git('-c', 'advice.addEmbeddedRepo=false', 'add', 'inner');
  expect(tracked(['inner/b', 'a', 'inner'])).toEqual(['a', 'inner']);
});

test('a thousand paths are a few calls of git', () => {
  git('init', '-q');
  write('d7', 'd999');
  git('add', 'd7', 'd999');
  const real = execFileSync('sh', ['-c', 'command -v git'], { encoding: 'utf8' }).trim();
  const bin = path.join(base, 'bin');
  write('bin/git');
  fs.writeFileSync(path.join(bin, 'git'), `#!/bin/sh\necho >> '${base}/calls'\nexec '${real}' "$@"\n`, { mode: 0o755 });
  fs.chmodSync(path.join(bin, 'git'), 0o755);
  vi.stubEnv('PATH', `${bin}:${process.env['PATH']}`);
  expect(tracked(Array.from({ length: 1000 }, (_, i) => `d${i}`))).toEqual(['d7', 'd999']);
  expect(fs.readFileSync(path.join(base, 'calls'), 'utf8').length).toBe(3);
});
