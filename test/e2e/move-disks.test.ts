import fs from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Disk, mountDisk } from '../rigs/disk.ts';
import { makeProject, type TestProject } from '../rigs/project.ts';

// `move` to another file system copies, and removes the original when the copy is on disk. `disk` is one, in the project.

let project: TestProject;
let disk: Disk;
beforeEach(async () => {
  project = makeProject();
  await project.dag(['init']);
  disk = mountDisk(project.path('disk'));
  for (let i = 0; i < 9; i++) project.write(`data/${i % 3}/f${i}`, `content ${i}\n`);
  fs.symlinkSync('f0', project.path('data/0/link'));
  await project.dag(['add', 'data']);
});
afterEach(() => {
  disk.unmount();
  project.remove();
});

async function isMoved(): Promise<void> {
  expect(project.exists('data')).toBe(false);
  expect(project.read('disk/data/2/f5')).toBe('content 5\n');
  expect(fs.readlinkSync(project.path('disk/data/0/link'))).toBe('f0');
  expect(project.read('pipeline.yaml')).toContain('disk/data');
  expect((await project.dag(['status', '--json'])).stdout).toBe('{"stages":{},"data":{}}\n');
  expect(fs.readdirSync(project.path('disk')).filter((name) => name !== '.gitignore')).toEqual(['data']);
}

test('moves', async (context) => {
  if (disk.why !== undefined) return context.skip(disk.why);
  expect(await project.dag(['move', 'data', 'disk'])).toMatchObject({ status: 0 });
  await isMoved();
});

test.for<[string, string, string[]]>([
  ['before the original was removed', 'disk/data', []],
  ['while it was removed', 'disk', ['data/0', 'data/1/f1']],
])('killed %s, the next one finishes', async ([, target, removed], context) => {
  if (disk.why !== undefined) return context.skip(disk.why);
  fs.cpSync(project.path('data'), project.path('disk/data'), { recursive: true, verbatimSymlinks: true });
  for (const gone of removed) fs.rmSync(project.path(gone), { recursive: true });
  expect(await project.dag(['move', 'data', target])).toMatchObject({ status: 0 });
  await isMoved();
});

test.for<[string, () => void]>([
  ['a changed file', () => project.write('data/1/f1', 'an edit')],
  ['another file', () => project.write('data/new', 'new')],
  ['another target', () => project.write('disk/data/1/f1', 'not ours')],
])('%s is no move that was killed: both stay', async ([, change], context) => {
  if (disk.why !== undefined) return context.skip(disk.why);
  fs.cpSync(project.path('data'), project.path('disk/data'), { recursive: true, verbatimSymlinks: true });
  change();
  const ran = await project.dag(['move', 'data', 'disk']);
  expect([ran.status, ran.stderr]).toEqual([2, expect.stringContaining('exists already')]);
  expect(project.exists('data/0/f0')).toBe(true);
});

test('a copy on the same disk is a copy', async () => {
  fs.cpSync(project.path('data'), project.path('copy'), { recursive: true, verbatimSymlinks: true });
  expect(await project.dag(['move', 'data', 'copy/data'])).toMatchObject({ status: 0 });
  expect(project.read('copy/2/f5')).toBe('content 5\n');
  fs.cpSync(project.path('copy'), project.path('again'), { recursive: true, verbatimSymlinks: true });
  fs.rmSync(project.path('again/data'), { recursive: true });
  fs.mkdirSync(project.path('again/data'));
  expect((await project.dag(['move', 'copy/data', 'again'])).status).toBe(2);
  expect(project.read('copy/data/2/f5')).toBe('content 5\n');
});
