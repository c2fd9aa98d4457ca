import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { AnyPath } from '@dag/model';
import { expect, onTestFinished, test } from 'vitest';
import { Watcher } from '../src/watch/watcher.ts';

const paths = (...names: string[]): ReadonlySet<AnyPath> => new Set(names as AnyPath[]);

test('says whether other paths are watched than before, and tells all that comes, goes and changes at them, and nothing else', async () => {
  const at = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'dag-watcher-')));
  const [root, outside] = [path.join(at, 'project'), path.join(at, 'outside')];
  for (const folder of [root, outside]) fs.mkdirSync(folder);
  const all = new Set<AnyPath>();
  let tell = (): void => {};
  const onChange = (touched: ReadonlySet<AnyPath>): void => {
    for (const one of touched) all.add(one);
    tell();
  };
  const watcher = new Watcher({ root, poll: false, onChange, onPoll: () => {} });
  onTestFinished(async () => {
    await watcher.close();
    fs.rmSync(at, { recursive: true });
  });
  /** Resolves when a path is told from now on. */
  const told = (name: AnyPath): Promise<void> => {
    all.delete(name);
    return new Promise((resolve) => {
      tell = () => {
        if (all.has(name)) resolve();
      };
    });
  };
  expect(await watcher.set(paths('a'))).toBe(true);
  expect(await watcher.set(paths('a'))).toBe(false);
  fs.symlinkSync(outside, path.join(root, 'link'));
  expect(await watcher.set(paths('a', 'deep/er/c', 'link/d', outside))).toBe(true);
  const write = (file: string, text: string): void => {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
  };
  const inside = (name: string): string => path.join(root, name);
  for (const [change, name] of [
    [() => write(inside('a'), '1'), 'a'],
    [() => fs.rmSync(inside('a')), 'a'],
    [() => write(inside('a'), '2'), 'a'],
    [() => write(inside('deep/er/c'), '1'), 'deep/er/c'],
    [() => fs.rmSync(inside('deep'), { recursive: true }), 'deep/er/c'],
    [() => write(inside('deep/er/c'), '2'), 'deep/er/c'],
    [() => write(path.join(outside, 'b'), '1'), path.join(outside, 'b')],
    [() => write(inside('link/d'), '1'), 'link/d'],
  ] as const) {
    write(inside('stray'), name);
    const next = told(name as AnyPath);
    change();
    await next;
  }
  expect(all).not.toContain('stray');
});
