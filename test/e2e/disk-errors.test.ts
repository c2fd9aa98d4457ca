import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { faultyDisk } from '../rigs/faulty-disk.ts';
import { makeProject, type Ran, type RunOptions, type TestProject } from '../rigs/project.ts';

let project: TestProject;
const library = fs.mkdtempSync(path.join(os.tmpdir(), 'dag-eio-'));
const disk = faultyDisk(library);
beforeEach(async (context) => {
  if ('why' in disk) context.skip(disk.why);
  project = makeProject();
  await project.dag(['init']);
  project.write('big', Buffer.alloc(200_000, 'a'));
  for (let i = 0; i < 20; i++) project.write(`data/f${i}`, `content ${i}\n`);
});
afterEach(() => project?.remove());
afterAll(() => fs.rmSync(library, { recursive: true }));

/** Runs `dag` while a call on files whose path holds `part` fails with EIO. */
async function broken(call: 'read' | 'write' | 'fsync', part: string, ...args: string[]): Promise<Ran> {
  if ('why' in disk) throw new Error(disk.why);
  const options: RunOptions = { env: disk.env(call, part) };
  return await project.dag(args, options);
}

function leftovers(): string[] {
  const tmp = project.path('.cache/tmp');
  return fs.existsSync(tmp) ? fs.readdirSync(tmp) : [];
}

test.each([
  ['read', '/project/big'],
  ['read', '/project/data/f7'],
  ['write', '/.cache/tmp/'],
  ['fsync', '/.cache/tmp/'],
  ['fsync', '/.cache/objects'],
] as const)(
  'add when %s fails on %s: said in words, nothing is recorded, and the next one works',
  async (call, part) => {
    const ran = await broken(call, part, 'add', 'data', 'big');
    expect(ran).toMatchObject({ status: 3, stderr: expect.stringContaining('the disk reports an error') });
    expect(project.exists('pipeline.lock')).toBe(false);
    expect(project.read('pipeline.yaml')).not.toContain('data:');
    expect(leftovers()).toEqual([]);
    expect(await project.dag(['add', 'data', 'big'])).toMatchObject({ status: 0 });
    expect(await project.dag(['fsck'])).toMatchObject({ status: 0 });
  },
);

test.each([
  ['read', '/.cache/objects/'],
  ['read', '/.cache/packs/'],
  ['write', '/.cache/tmp/'],
] as const)('checkout when %s fails on %s: no half file stands there, and the next one works', async (call, part) => {
  await project.dag(['add', 'data', 'big']);
  fs.rmSync(project.path('data'), { recursive: true });
  fs.rmSync(project.path('big'));
  const ran = await broken(call, part, 'checkout');
  expect(ran.status).toBe(3);
  if (project.exists('big')) expect(fs.statSync(project.path('big')).size).toBe(200_000);
  for (let i = 0; i < 20; i++) {
    if (project.exists(`data/f${i}`)) expect(project.read(`data/f${i}`)).toBe(`content ${i}\n`);
  }
  expect(await project.dag(['checkout'])).toMatchObject({ status: 0 });
  expect(project.read('data/f9')).toBe('content 9\n');
  expect(fs.statSync(project.path('big')).size).toBe(200_000);
});

test('fsck names an object that the disk cannot give, and goes on', async () => {
  await project.dag(['add', 'data', 'big']);
  const ran = await broken('read', '/.cache/objects/', 'fsck', '--json');
  const { failed, objects } = ran.events.at(-1) as { failed: { path: string; reason: string }[]; objects: number };
  expect([ran.status, objects]).toEqual([1, 22]);
  expect(failed).toContainEqual(expect.objectContaining({ path: 'big', reason: 'it can not be read' }));
});
