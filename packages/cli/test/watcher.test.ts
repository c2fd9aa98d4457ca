import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { AnyPath } from '@dag/model';
import { expect, onTestFinished, test } from 'vitest';
import { Watcher } from '../src/watch/watcher.ts';

const paths = (...names: string[]): ReadonlySet<AnyPath> => new Set(names as AnyPath[]);

test('says whether other paths are watched than before, and names what changes as it was given', async () => {
  const at = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'dag-watcher-')));
  const [root, outside] = [path.join(at, 'project'), path.join(at, 'outside')];
  for (const folder of [root, outside]) fs.mkdirSync(folder);
  let told = (_: ReadonlySet<AnyPath>): void => {};
  const watcher = new Watcher({ root, poll: false, onChange: (touched) => told(touched), onPoll: () => {} });
  onTestFinished(async () => {
    await watcher.close();
    fs.rmSync(at, { recursive: true });
  });
  const changed = (): Promise<ReadonlySet<AnyPath>> =>
    new Promise((resolve) => {
      told = resolve;
    });
  expect(await watcher.set(paths('a'))).toBe(true);
  expect(await watcher.set(paths('a'))).toBe(false);
  expect(await watcher.set(paths('a', outside))).toBe(true);
  for (const [file, name] of [
    [path.join(root, 'a'), 'a'],
    [path.join(outside, 'b'), path.join(outside, 'b')],
  ] as const) {
    const next = changed();
    fs.writeFileSync(file, 'x');
    expect([...(await next)]).toEqual([name]);
  }
});
