import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { hashText } from '@dag/store';
import { expect, onTestFinished, test } from 'vitest';
import { newProject, path } from './helpers.ts';

function project() {
  const one = newProject();
  onTestFinished(() => one.dispose());
  return { ...one, cacheFile: join(one.root, '.cache/stat/stat-1.mdb') };
}

test('a few small files are read without opening the stat cache', async () => {
  const { ws, write, cacheFile } = project();
  write('a', 'text');
  write('folder/b', 'more');
  const seen = await ws.observe([path('a'), path('folder'), path('absent')]);
  expect(seen.get(path('a'))?.digest).toBe(hashText('text'));
  expect(seen.get(path('folder'))).toMatchObject({ kind: 'folder', files: 1 });
  expect(existsSync(cacheFile)).toBe(false);
});

test.each([
  ['many files', Array.from({ length: 100 }, (_, i): [string, string] => [`f${i}`, `text ${i}`])],
  ['large ones', [['f', 'x'.repeat(2_000_000)] as [string, string]]],
])('%s are looked up in it, and have the same digests', async (_, files) => {
  const { ws, write, cacheFile } = project();
  for (const [name, text] of files) write(name, text);
  const seen = await ws.observe(files.map(([name]) => path(name)));
  for (const [name, text] of files) expect(seen.get(path(name))?.digest).toBe(hashText(text));
  expect(existsSync(cacheFile)).toBe(true);
});
