import {
  chmodSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type Artifact, digestHex } from '@dag/model';
import { nowNs } from '@dag/store';
import { afterEach, describe, expect, test } from 'vitest';
import type { LinkStrategy, Workspace } from '../src/index.ts';
import { commitOne, listing, newProject, type Project, path } from './helpers.ts';

// The cache's copy is damaged, and what stands in the workspace is the last good one: whatever replaces or removes that has
// to store it anew before.

let project: Project;
afterEach(() => project.dispose());

const at = (file: string): string => join(project.root, file);

/** Small files that are objects of their own, or (16 and more) go into a pack; and a large one. */
const CONTENTS = {
  small: { 'sub/a': 'one', b: 'two' },
  packed: Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`sub/${i}`, `content ${i}`])),
  large: { 'sub/big': 'x'.repeat(200_000) },
};

function writeAll(folder: string, contents: Readonly<Record<string, string>>): void {
  for (const [name, content] of Object.entries(contents)) project.write(`${folder}/${name}`, content);
}

type Damage = (file: string) => void;

/** Times are put back: disks that fail don't set them either. */
function quietly(damage: Damage): Damage {
  return (file) => {
    const { atime, mtime, mode } = statSync(file);
    chmodSync(file, 0o644);
    damage(file);
    chmodSync(file, mode);
    utimesSync(file, atime, mtime);
  };
}

const DAMAGES: Readonly<Record<string, Damage>> = {
  'a bit flipped': quietly((file) => {
    const bytes = readFileSync(file);
    const middle = file.endsWith('.pack') ? 10 : Math.floor(bytes.length / 2);
    bytes[middle] = (bytes[middle] ?? 0) ^ 1;
    writeFileSync(file, bytes);
  }),
  'cut short': quietly((file) => truncateSync(file, file.endsWith('.pack') ? 20 : 2)),
  emptied: quietly((file) => truncateSync(file, 0)),
};

/** Every file in which the cache keeps objects. */
function cacheFiles(): string[] {
  const found: string[] = [];
  for (const folder of ['objects', 'packs']) {
    for (const name of list(folder)) {
      if (name.endsWith('.pack') || /^[0-9a-f]{2}\/[0-9a-f]{62}$/.test(name))
        found.push(at(`.cache/${folder}/${name}`));
    }
  }
  return found;
}

function list(folder: string): string[] {
  try {
    return readdirSync(at(`.cache/${folder}`), { recursive: true }).map(String);
  } catch {
    return [];
  }
}

const WAYS: Readonly<Record<string, (ws: Workspace, other: Artifact) => Promise<readonly string[]>>> = {
  'checkout of another version': async (ws, other) =>
    (await ws.checkout([{ path: path('data'), artifact: other }])).refused,
  'a forced checkout of another version': async (ws, other) =>
    (await ws.checkout([{ path: path('data'), artifact: other }], { force: true })).refused,
  'what is tracked no longer': async (ws) => (await ws.checkout([{ path: path('data'), artifact: undefined }])).refused,
  'what is set aside and dropped': async (ws) => {
    await ws.keep([path('data')]);
    ws.setAside([path('data')]).discard();
    return [];
  },
};

describe.each(Object.entries(CONTENTS))('%s', (_, contents) => {
  describe.each(Object.entries(DAMAGES))('%s', (_, damage) => {
    test.each(Object.entries(WAYS))('%s', async (_, way) => {
      project = newProject({ link: ['copy'] });
      writeAll('other', { 'sub/else': 'another version' });
      const other = await commitOne(project.ws, 'other');
      writeAll('data', contents);
      const artifact = await commitOne(project.ws, 'data');
      const before = listing(at('data'));
      for (const file of cacheFiles()) if (!isOf(file, other)) damage(file);
      const told: string[] = [];
      const refused = await way(watched(project.reopen(), told), other);
      if (refused.length > 0) {
        // Nothing is known of a pack that can't be opened: its files are taken for edits.
        expect(listing(at('data'))).toEqual(before);
        await project.reopen().commit([path('data')]);
      } else if (list('packs').length > 0 || contents !== CONTENTS.packed) {
        expect(told.length).toBeGreaterThan(0);
      }
      rmSync(at('data'), { recursive: true, force: true });
      const report = await project.reopen().checkout([{ path: path('data'), artifact }]);
      expect(report).toMatchObject({ failed: [], refused: [] });
      expect(listing(at('data'))).toEqual(before);
      expect(await project.store.checkAll()).toMatchObject({ damaged: [] });
    });
  });
});

/** Whether a cache file holds part of an artifact that is made of loose objects. */
function isOf(file: string, artifact: Artifact): boolean {
  const names = [...project.store.objectsOf(artifact)].map(({ digest }) => digestHex(digest).slice(2));
  return names.some((name) => file.endsWith(name));
}

/** Notes what it mends. */
function watched(ws: Workspace, told: string[]): Workspace {
  const onMended = (mended: string): void => void told.push(mended);
  return {
    ...ws,
    checkout: (items, options) => ws.checkout(items, { ...options, onMended }),
    keep: (paths) => ws.keep(paths, { onMended }),
  };
}

test.each([['hardlink'], ['symlink'], ['copy']] as LinkStrategy[][])('relinked by %s', async (strategy) => {
  project = newProject({ link: ['copy'] });
  writeAll('data', { ...CONTENTS.small, ...CONTENTS.large });
  const artifact = await commitOne(project.ws, 'data');
  const before = contentOf(artifact);
  for (const file of cacheFiles())
    if (statSync(file).size > 100_000 || statSync(file).size < 10) DAMAGES['a bit flipped']?.(file);
  const ws = project.reopen({ link: [strategy] as LinkStrategy[] });
  expect(await ws.checkout([{ path: path('data'), artifact }], { relink: true })).toMatchObject({ failed: [] });
  expect(contentOf(artifact)).toEqual(before);
  expect(await project.store.checkAll()).toMatchObject({ damaged: [] });
});

/** By content alone: links are other files. */
function contentOf(_: Artifact): string[] {
  return ['sub/a', 'b', 'sub/big'].map((name) => project.read(`data/${name}`));
}

test.each([['hardlink'], ['symlink']] as LinkStrategy[][])(
  'a commit that makes files links (%s) looks at what they lead to',
  async (strategy) => {
    project = newProject({ link: ['copy'] });
    writeAll('data', CONTENTS.large);
    const artifact = await commitOne(project.ws, 'data');
    for (const file of cacheFiles()) if (statSync(file).size > 100_000) DAMAGES['a bit flipped']?.(file);
    const told: string[] = [];
    const ws = project.reopen({ link: [strategy] as LinkStrategy[] });
    const again = await ws.commit([path('data')], { onMended: (mended) => void told.push(mended) });
    expect(again.get(path('data'))).toEqual(artifact);
    expect(told).toEqual(['data/sub/big']);
    expect(project.read('data/sub/big')).toBe(CONTENTS.large['sub/big']);
    expect(await project.store.checkAll()).toMatchObject({ damaged: [] });
  },
);

test('where the cache cannot take it, all stays as it is', async () => {
  project = newProject({ link: ['copy'] });
  writeAll('data', CONTENTS.large);
  await commitOne(project.ws, 'data');
  for (const file of cacheFiles()) DAMAGES['a bit flipped']?.(file);
  // A file where the folder for damaged objects should be.
  writeFileSync(at('.cache/quarantine'), '');
  await expect(project.reopen().checkout([{ path: path('data'), artifact: undefined }])).rejects.toMatchObject({
    failure: { code: 'io' },
  });
  expect(project.read('data/sub/big')).toBe(CONTENTS.large['sub/big']);
});

test('an untouched object that was checked before is not read again', async () => {
  project = newProject({ link: ['copy'] });
  writeAll('data', CONTENTS.large);
  await commitOne(project.ws, 'data');
  const big = cacheFiles().find((file) => statSync(file).size > 100_000) as string;
  // Its digest may be remembered once its times are past.
  await expect.poll(() => nowNs() - statSync(big, { bigint: true }).ctimeNs).toBeGreaterThan(50_000_000n);
  const told: string[] = [];
  const keep = () =>
    project.ws.keep([path('data')], { onProgress: ({ phase, files }) => void told.push(`${phase} ${files}`) });
  await keep();
  // A file is looked at (how often that is told goes by the clock), then it and two listings are checked.
  expect(told.splice(0).at(-1)).toBe('hash 3');
  await keep();
  expect(new Set(told)).toEqual(new Set(['hash 1']));
});
