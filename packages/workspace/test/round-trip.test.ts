import { randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { runs } from '../../../test/fuzz.ts';
import type { LinkStrategy } from '../src/index.ts';
import { commitOne, listing, make, newProject, type Project, path, type Shape } from './helpers.ts';

let project: Project;
afterEach(() => project.dispose());

const STRATEGIES: LinkStrategy[][] = [['reflink', 'copy'], ['hardlink', 'copy'], ['symlink', 'copy'], ['copy']];

const name = fc
  .oneof(
    fc.constantFrom(
      'a',
      '-n',
      ' ',
      'a b',
      'new\nline',
      'ü',
      '😀',
      'back\\slash',
      '*',
      '#x',
      'A',
      'pipeline.yaml',
      '.hidden',
    ),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }),
  )
  .filter(
    (text) =>
      !/[/\0]/.test(text) &&
      text.isWellFormed() &&
      !['.', '..', '.git', '.dagignore'].includes(text) &&
      Buffer.byteLength(text) < 200,
  );

const big = randomBytes(300_000);
const content = fc.oneof(
  { weight: 8, arbitrary: fc.uint8Array({ maxLength: 64 }) },
  {
    weight: 1,
    arbitrary: fc
      .integer({ min: 64 * 1024 - 1, max: big.length })
      .map((size) => Uint8Array.from(big.subarray(0, size))),
  },
);

const { shape } = fc.letrec<{ shape: Shape; folder: Shape }>((tie) => ({
  shape: fc.oneof(
    { maxDepth: 4 },
    fc.record({ kind: fc.constant('file' as const), content, executable: fc.boolean() }),
    fc.record({ kind: fc.constant('link' as const), to: fc.constantFrom('a', './A', 'a b/a') }),
    tie('folder'),
  ),
  folder: fc.record({
    kind: fc.constant('folder' as const),
    inside: fc.dictionary(name, tie('shape'), { maxKeys: 6 }),
  }),
}));

const tree = fc.dictionary(name, shape, { maxKeys: 8 }).map((inside): Shape => ({ kind: 'folder', inside }));

describe.each(STRATEGIES.map((link) => [link] as const))('link %j', (link) => {
  test('any tree of files in, the same tree out', async () => {
    project = newProject({ link });
    await fc.assert(
      fc.asyncProperty(tree, async (wanted) => {
        const at = join(project.root, 'data');
        rmSync(at, { recursive: true, force: true });
        make(at, wanted);
        const before = listing(at);
        const artifact = await commitOne(project.ws, 'data');
        expect((await project.ws.observe([path('data')])).get(path('data'))).toEqual(artifact);
        rmSync(at, { recursive: true });
        const report = await project.ws.checkout([{ path: path('data'), artifact }]);
        expect(report).toMatchObject({ added: ['data'], failed: [], refused: [] });
        if (link[0] !== 'symlink') expect(listing(at)).toEqual(before);
        expect((await project.ws.observe([path('data')])).get(path('data'))).toEqual(artifact);
        expect((await project.reopen({ statCache: false }).observe([path('data')])).get(path('data'))).toEqual(
          artifact,
        );
        const again = await project.ws.checkout([{ path: path('data'), artifact }]);
        expect(again).toMatchObject({ added: [], modified: [], deleted: [], files: 0 });
      }),
      { numRuns: runs(25) },
    );
  });

  test('from any tree to any other', async () => {
    project = newProject({ link });
    await fc.assert(
      fc.asyncProperty(tree, tree, async (first, second) => {
        const at = join(project.root, 'data');
        rmSync(at, { recursive: true, force: true });
        make(at, first);
        await commitOne(project.ws, 'data');
        rmSync(at, { recursive: true });
        make(at, second);
        const wanted = await commitOne(project.ws, 'data');
        rmSync(at, { recursive: true });
        make(at, first);
        const report = await project.ws.checkout([{ path: path('data'), artifact: wanted }]);
        expect(report).toMatchObject({ failed: [], refused: [] });
        expect((await project.ws.observe([path('data')])).get(path('data'))).toEqual(wanted);
      }),
      { numRuns: runs(25) },
    );
    expect(readdirSync(join(project.root, '.cache', 'tmp'))).toEqual([]);
  });
});

test('a name of 255 bytes and a deep path are kept', async () => {
  project = newProject();
  const deep = Array.from({ length: 60 }, (_, i) => `folder-${i}`).join('/');
  project.write(`data/${deep}/${'n'.repeat(255)}`, 'x');
  const artifact = await commitOne(project.ws, 'data');
  renameSync(join(project.root, 'data'), join(project.root, 'was'));
  await project.ws.checkout([{ path: path('data'), artifact }]);
  expect(listing(join(project.root, 'data'))).toEqual(listing(join(project.root, 'was')));
});

test('a symlink out of the folder is followed, one inside is kept, absolute ones become relative', async () => {
  project = newProject();
  project.write('elsewhere/file', 'content');
  project.write('elsewhere/folder/inner', 'inner');
  project.write('data/own', 'own');
  const link = (to: string, at: string): void => symlinkSync(to, join(project.root, at));
  link('../elsewhere/file', 'data/file');
  link(join(project.root, 'elsewhere/folder'), 'data/folder');
  link(join(project.root, 'data/own'), 'data/absolute');
  link('.', 'data/self');
  const artifact = await commitOne(project.ws, 'data');
  expect(artifact).toMatchObject({ kind: 'folder', files: 3 });
  rmSync(join(project.root, 'data'), { recursive: true });
  await project.ws.checkout([{ path: path('data'), artifact }]);
  expect(listing(join(project.root, 'data'))).toMatchInlineSnapshot(`
    [
      "d """,
      "d "/folder"",
      "f "/file" 636f6e74656e74",
      "f "/folder/inner" 696e6e6572",
      "f "/own" 6f776e",
      "l "/absolute" -> own",
      "l "/self" -> .",
    ]
  `);
});

test('large files are links where the strategy says so: one inode, read-only; small ones are copies', async () => {
  project = newProject({ link: ['hardlink'] });
  project.write('data/large', big);
  project.write('data/small', 'small');
  const artifact = await commitOne(project.ws, 'data');
  const large = join(project.root, 'data/large');
  expect(statSync(large)).toMatchObject({ nlink: 2 });
  expect(statSync(large).mode & 0o777).toBe(0o444);
  expect(statSync(join(project.root, 'data/small')).mode & 0o200).toBe(0o200);
  rmSync(join(project.root, 'data'), { recursive: true });
  await project.ws.checkout([{ path: path('data'), artifact }]);
  expect(statSync(large)).toMatchObject({ nlink: 2 });
  expect(await project.ws.unprotect([path('data')])).toEqual(['data']);
  expect(statSync(large)).toMatchObject({ nlink: 1 });
  expect(statSync(large).mode & 0o200).toBe(0o200);
  const relinked = project.reopen({ link: ['symlink'] });
  await relinked.checkout([{ path: path('data'), artifact }], { relink: true });
  expect(lstatSync(large).isSymbolicLink()).toBe(true);
  expect((await relinked.observe([path('data')])).get(path('data'))).toEqual(artifact);
});

test('an empty folder is kept', async () => {
  project = newProject();
  mkdirSync(join(project.root, 'data/inner'), { recursive: true });
  const artifact = await commitOne(project.ws, 'data');
  expect(artifact).toMatchObject({ kind: 'folder', files: 0, size: 0 });
  rmSync(join(project.root, 'data'), { recursive: true });
  await project.ws.checkout([{ path: path('data'), artifact }]);
  expect(listing(join(project.root, 'data'))).toEqual(['d ""', 'd "/inner"']);
});
