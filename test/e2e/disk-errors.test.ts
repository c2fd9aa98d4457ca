import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { WRITE_BEHIND } from '@dag/store';
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

test('add when a large file, which goes to the disk while it is written, can not get there', async () => {
  fs.truncateSync(project.path('big'), WRITE_BEHIND + 1);
  const ran = await broken('fsync', '/.cache/tmp/object-', 'add', 'big');
  expect(ran).toMatchObject({ status: 3, stderr: expect.stringContaining('the disk reports an error') });
  expect(project.exists('pipeline.lock')).toBe(false);
  expect(leftovers()).toEqual([]);
  expect(await project.dag(['add', 'big'])).toMatchObject({ status: 0 });
});

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

const PIPELINE = `stages:
  s:
    cmd: mkdir -p out && cat big > out/b && seq 30000 > out/c
    deps: [big]
    outs: [out]
`;

test.each([
  ['read', '/project/big', 'commit', "can't read big"],
  ['write', '/.cache/tmp/', 'commit', '.cache'],
  ['fsync', '/.cache/objects', 'commit', '.cache'],
  ['fsync', '/.cache/tmp/', 'commit', '.cache'],
  ['read', '/project/pipeline.lock', 'status', "can't read pipeline.lock"],
  ['read', '/project/pipeline.yaml', 'status', 'pipeline.yaml'],
  ['read', '/project/.dagignore', 'status', "can't read .dagignore"],
  ['read', '/.cache/packs/', 'gc -w -f', "can't read the pack"],
  ['fsync', '/.cache/runs', 'repro', '.cache'],
  ['fsync', '/.cache/tmp/', 'repro', '.cache'],
  ['read', '/project/out/c', 'repro', 'out/c'],
] as const)('%s fails on %s: dag %s says so, and the next one works', async (call, part, verb, words) => {
  project.write('.dagignore', '*.log\n');
  await project.dag(['add', 'data', 'big']);
  project.write('data/f1', 'changed\n');
  project.write('big', Buffer.alloc(200_000, 'b'));
  if (verb === 'repro') project.write('pipeline.yaml', project.read('pipeline.yaml').replace('stages: {}\n', PIPELINE));
  const lock = project.read('pipeline.lock');
  const ran = await broken(call, part, ...verb.split(' '));
  expect(ran).toMatchObject({ status: 3, stderr: expect.stringContaining('the disk reports an error') });
  expect(ran.stderr).toContain(words);
  expect(ran.stderr).not.toMatch(/^ +at /m);
  if (verb !== 'repro') expect(project.read('pipeline.lock')).toBe(lock);
  expect(project.read('pipeline.lock')).not.toContain('stages:');
  expect(leftovers()).toEqual([]);
  expect(await project.dag(verb.split(' '))).toMatchObject({ status: 0 });
  expect(await project.dag(['fsck'])).toMatchObject({ status: 0 });
});

test('the stat cache may fail as it likes', async () => {
  for (const call of ['read', 'write', 'fsync'] as const) {
    project.write('data/f1', `changed for ${call}\n`);
    expect(await broken(call, '/stat-1', 'add', 'data', 'big')).toMatchObject({ status: 0 });
    expect(await broken(call, '/stat-1', 'status', '--exit-code')).toMatchObject({ status: 0 });
  }
  project.write('data/f1', 'changed again\n');
  expect(await project.dag(['status', '--exit-code'])).toMatchObject({ status: 1 });
});

test('fsck names an object that the disk cannot give, and goes on', async () => {
  await project.dag(['add', 'data', 'big']);
  const ran = await broken('read', '/.cache/objects/', 'fsck', '--json');
  const { failed, objects } = ran.events.at(-1) as { failed: { path: string; reason: string }[]; objects: number };
  expect([ran.status, objects]).toEqual([1, 22]);
  expect(failed).toContainEqual(expect.objectContaining({ path: 'big', reason: 'it can not be read' }));
});
