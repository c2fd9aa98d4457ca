import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Artifact, Digest } from '@dag/model';
import { hashBytes, type Store } from '@dag/store';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { runs } from '../../../test/fuzz.ts';
import type { LinkStrategy, Workspace } from '../src/index.ts';
import { commitOne, listing, make, newProject, type Project, path, type Shape } from './helpers.ts';

// From any workspace to any version: what is nowhere in the cache is kept, or nothing happens at all; whatever happens, no
// file is written in place, so that no other name of it changes.

let project: Project;
afterEach(() => project.dispose());

const STRATEGIES: LinkStrategy[][] = [
  ['reflink', 'copy'],
  ['hardlink', 'copy'],
  ['symlink', 'copy'],
];

/** Few names, so that files, folders and links often take each other's place. */
const name = fc.constantFrom('a', 'b', 'c', 'A', '.gitignore');
/** The first few are in versions too; the last ones are only in workspaces. */
const contents = [
  ...['', 'one\n', 'two\n', 'three\n'].map((text) => Buffer.from(text)),
  Buffer.alloc(100_000, 'large'),
  Buffer.from('only here\n'),
  Buffer.alloc(100_000, 'only here'),
];
const SAVED = 5;

function folders(below: number): fc.Arbitrary<Shape> {
  const { folder } = fc.letrec<{ shape: Shape; folder: Shape }>((tie) => ({
    shape: fc.oneof(
      { maxDepth: 3 },
      fc.record({
        kind: fc.constant('file' as const),
        content: fc.nat(below - 1).map((i) => Uint8Array.from(contents[i] as Buffer)),
        executable: fc.boolean(),
      }),
      fc.record({ kind: fc.constant('link' as const), to: fc.constantFrom('a', './b', 'c/a') }),
      tie('folder'),
    ),
    folder: fc.record({
      kind: fc.constant('folder' as const),
      inside: fc.dictionary(name, tie('shape'), { maxKeys: 4 }),
    }),
  }));
  return folder;
}

/**
 * Symlinks by path from the root that a version does not have so, in folders whose listing is nowhere in the cache.
 * @param wanted the version's listing.
 */
function unsavedLinks(ws: Workspace, store: Store, folder: string, wanted: readonly string[]): Promise<string[]> {
  return ws.list([path('data')]).then((artifacts) => {
    const isSaved = (at: string): boolean => store.has(artifacts.get(path(at))?.digest as Digest);
    return listing(folder).flatMap((line) => {
      const match = /^l "(\/.*)" -> /.exec(line);
      const at = `data${match?.[1]}`;
      return match === null || wanted.includes(line) || isSaved(dirname(at)) ? [] : [at];
    });
  });
}

/** Files by path from the root that are plain ones. */
function filesIn(folder: string, shown: string): [string, Buffer][] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry): [string, Buffer][] => {
    const [at, inner] = [join(folder, entry.name), `${shown}/${entry.name}`];
    if (entry.isDirectory()) return filesIn(at, inner);
    return entry.isFile() ? [[inner, readFileSync(at)]] : [];
  });
}

describe.each(STRATEGIES.map((link) => [link] as const))('link %j', (link) => {
  test('a checkout loses nothing that is nowhere else', async () => {
    const scenario = fc.record({
      versions: fc.array(folders(SAVED), { minLength: 1, maxLength: 3 }),
      workspaces: fc.array(fc.record({ shape: folders(contents.length), to: fc.nat(2), force: fc.boolean() }), {
        minLength: 1,
        maxLength: 4,
      }),
    });
    await fc.assert(
      fc.asyncProperty(scenario, async ({ versions, workspaces }) => {
        project = newProject({ link });
        const at = join(project.root, 'data');
        const known: { artifact: Artifact; lines: string[] }[] = [];
        for (const shape of versions) {
          rmSync(at, { recursive: true, force: true });
          make(at, shape);
          const lines = listing(at);
          known.push({ artifact: await commitOne(project.ws, 'data'), lines });
        }
        for (const [n, { shape, to, force }] of workspaces.entries()) {
          // Every second one starts from what the last checkout left.
          if (n % 2 === 0) {
            rmSync(at, { recursive: true, force: true });
            make(at, shape);
          }
          const { artifact, lines } = known[to % known.length] as (typeof known)[number];
          const before = listing(at);
          const found = filesIn(at, 'data');
          const unsaved = found.filter(([, bytes]) => !project.store.has(hashBytes(bytes))).map(([file]) => file);
          unsaved.push(...(await unsavedLinks(project.ws, project.store, at, lines)));
          const others = join(project.root, `others${n}`);
          mkdirSync(others);
          for (const [i, [file]] of found.entries()) linkSync(join(project.root, file), join(others, `${i}`));
          const report = await project.ws.checkout([{ path: path('data'), artifact }], { force });
          expect(report.failed).toEqual([]);
          for (const [i, [, bytes]] of found.entries()) {
            expect(readFileSync(join(others, `${i}`)).equals(bytes)).toBe(true);
          }
          if (!force && unsaved.length > 0) {
            expect([...report.refused].sort()).toEqual(unsaved.sort());
            expect(listing(at)).toEqual(before);
            continue;
          }
          expect(report.refused).toEqual([]);
          if (link[0] !== 'symlink') expect(listing(at)).toEqual(lines);
          const seen = project.reopen({ statCache: false });
          expect((await seen.observe([path('data')])).get(path('data'))).toEqual(artifact);
        }
        for (const { digest } of project.store.list()) expect(project.store.check(digest)).toBeUndefined();
        await project.dispose();
      }),
      { numRuns: runs(40) },
    );
  });
});
