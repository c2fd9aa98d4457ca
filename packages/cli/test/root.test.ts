import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findRoot, requireRoot, toProjectPath } from '../src/project/root.ts';

let base: string;
beforeEach(() => {
  base = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'dag-root-')));
});
afterEach(() => fs.rmSync(base, { recursive: true, force: true }));

function pipeline(folder: string, text = 'stages: {}\n'): void {
  fs.mkdirSync(path.join(base, folder), { recursive: true });
  fs.writeFileSync(path.join(base, folder, 'pipeline.yaml'), text);
}

const at = (folder: string): string => path.join(base, folder);

describe('the root', () => {
  test('outside git is the nearest folder with a pipeline.yaml', () => {
    pipeline('a');
    pipeline('a/b');
    fs.mkdirSync(at('a/b/c'));
    expect(findRoot(at('a/b/c'))).toBe(at('a/b'));
  });

  test('in a git work tree is the outermost, but never above it', () => {
    pipeline('.');
    pipeline('repo/a');
    pipeline('repo/a/b');
    execFileSync('git', ['init', '-q', at('repo')]);
    expect(findRoot(at('repo/a/b'))).toBe(at('repo/a'));
    expect(findRoot(at('repo'))).toBeUndefined();
  });

  test('is the nearest that says root: true', () => {
    pipeline('a');
    pipeline('a/b', 'root: true # a project of its own\nstages: {}\n');
    pipeline('a/b/c');
    execFileSync('git', ['init', '-q', at('a')]);
    expect(findRoot(at('a/b/c'))).toBe(at('a/b'));
  });

  test('is named by --root, and inside a stage by DAG_ROOT', () => {
    pipeline('a');
    pipeline('a/b');
    pipeline('other');
    const root = (cwd: string, options: { root?: string; DAG_ROOT?: string } = {}) =>
      requireRoot({ cwd: at(cwd), root: options.root, env: { DAG_ROOT: options.DAG_ROOT } });
    expect(root('a/b', { root: '..' })).toBe(at('a'));
    expect(root('a/b', { DAG_ROOT: at('a') })).toBe(at('a'));
    // A stage may work on another project, in another folder.
    expect(root('other', { DAG_ROOT: at('a') })).toBe(at('other'));
    expect(root('.', { DAG_ROOT: at('a') })).toBe(at('a'));
    expect(() => root('.')).toThrow('no pipeline.yaml in this folder or any above it');
    expect(() => root('a', { root: 'gone' })).toThrow("there is no pipeline.yaml in 'gone'");
  });
});

test('paths of the project', () => {
  expect(toProjectPath('/p', '/p/a', '../b/./c')).toBe('b/c');
  expect(toProjectPath('/p', '/p/a', '/p/x')).toBe('x');
  expect(toProjectPath('/p', '/p', '.')).toBe('');
  expect(toProjectPath('/p', '/p', '../q')).toBeUndefined();
  expect(toProjectPath('/p', '/p', '..a')).toBe('..a');
});
