import { truncateSync } from 'node:fs';
import { WRITE_BEHIND } from '@dag/store';
import { afterEach, expect, test } from 'vitest';
import { type Counts, countCalls } from '../rigs/counted-calls.ts';
import { makeProject, type TestProject } from '../rigs/project.ts';

let project: TestProject | undefined;
afterEach(() => project?.remove());

/** What a verb does to files, in a project with so many of 70 kB in `d/in`. */
async function countAdd(files: number, link: string): Promise<{ readonly add: Counts; readonly checkout: Counts }> {
  project?.remove();
  project = makeProject();
  const one = project;
  await one.dag(['init']);
  for (let i = 0; i < files; i++) one.write(`d/in/${i}`, Buffer.alloc(70_000, `content ${i} `));
  const counted = (...args: string[]) =>
    countCalls(one.root, one.home, async (env) => {
      expect(await one.dag(args, { env: { ...env, DAG_CACHE_LINK: link } })).toMatchObject({ status: 0 });
    });
  const add = await counted('add', 'd');
  one.git('clean', '-fdxq', 'd');
  return { add, checkout: await counted('checkout') };
}

/** Calls a file, of those that are as many as there are files. */
async function each(link: string): Promise<{ readonly add: Counts; readonly checkout: Counts }> {
  const [few, many] = [await countAdd(100, link), await countAdd(140, link)];
  const of = (verb: 'add' | 'checkout'): Counts => {
    const calls = Object.keys(many[verb]).map((call) => {
      const more = (many[verb][call] ?? 0) - (few[verb][call] ?? 0);
      return [call, Math.round(more / 40)] as const;
    });
    return Object.fromEntries(calls.filter(([, count]) => count > 0));
  };
  return { add: of('add'), checkout: of('checkout') };
}

test('what a file of its own costs by hard link: one open, one read, no name that is not kept', async () => {
  const { add, checkout } = await each('hardlink,copy');
  expect(add).toMatchInlineSnapshot(`
    {
      "chmod d/in": 1,
      "fstat d/in": 1,
      "link .cache/objects": 1,
      "lstat .cache/objects": 1,
      "lstat d/in": 3,
      "mkdir .cache/objects": 1,
      "open .cache/objects": 1,
      "open d/in": 2,
      "read d/in": 1,
      "sync .cache/objects": 1,
      "sync d/in": 1,
    }
  `);
  expect(checkout).toMatchInlineSnapshot(`
    {
      "link .cache/tmp/checkout": 1,
      "lstat .cache/tmp/checkout": 1,
      "open .cache/objects": 1,
      "read .cache/objects": 2,
      "stat .cache/objects": 2,
      "stat .cache/tmp/checkout": 1,
    }
  `);
});

test('what a file of its own costs by copy: one open and one read, and one write', async () => {
  const { add, checkout } = await each('copy');
  expect(add).toMatchInlineSnapshot(`
    {
      "fstat d/in": 1,
      "lstat d/in": 2,
      "mkdir .cache/objects": 1,
      "open .cache/objects": 1,
      "open .cache/tmp/object": 1,
      "open d/in": 1,
      "read d/in": 1,
      "rename .cache/objects": 1,
      "sync .cache/objects": 1,
      "sync .cache/tmp/object": 1,
      "write .cache/tmp/object": 1,
    }
  `);
  expect(checkout).toMatchInlineSnapshot(`
    {
      "fstat .cache/tmp/checkout": 1,
      "open .cache/objects": 1,
      "read .cache/objects": 2,
      "stat .cache/objects": 1,
      "write .cache/tmp/checkout": 1,
    }
  `);
});

test('a large file is on its way to the disk while it is copied, and waited for once', async () => {
  project = makeProject();
  const one = project;
  await one.dag(['init']);
  one.write('big', '');
  truncateSync(one.path('big'), 2 * WRITE_BEHIND + 1);
  const counts = await countCalls(one.root, one.home, async (env) => {
    expect(await one.dag(['add', 'big'], { env: { ...env, DAG_CACHE_LINK: 'copy' } })).toMatchObject({ status: 0 });
  });
  expect(counts).toMatchObject({ 'open big': 1, 'write .cache/tmp/object': 1, 'sync .cache/tmp/object': 3 });
  expect(counts['read big']).toBeLessThanOrEqual((2 * WRITE_BEHIND) / 2 ** 20 + 1);
});
