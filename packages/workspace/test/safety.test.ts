import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type Artifact, type Digest, digestHex, encodeTree, type TreeEntry } from '@dag/model';
import { openStore } from '@dag/store';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { asNobody } from '../../../test/rigs/nobody.ts';
import { openWorkspace } from '../src/index.ts';
import { commitOne, listing, newProject, type Project, path } from './helpers.ts';

let project: Project;
beforeEach(() => {
  project = newProject();
});
afterEach(() => project.dispose());

const at = (file: string): string => join(project.root, file);
const restore = (artifact: Artifact | undefined, options = {}) =>
  project.ws.checkout([{ path: path('data'), artifact }], options);

describe('what the user has is not lost', () => {
  test('an edit that is nowhere in the cache is refused, and force takes it', async () => {
    project.write('data/a', 'one');
    project.write('data/b', 'two');
    const artifact = await commitOne(project.ws, 'data');
    project.write('data/a', 'edited');
    rmSync(at('data/b'));
    expect(await restore(artifact)).toMatchObject({ refused: ['data/a'], modified: [] });
    expect(project.read('data/a')).toBe('edited');
    expect(existsSync(at('data/b'))).toBe(false);
    expect(await restore(artifact, { force: true })).toMatchObject({ refused: [], modified: ['data'] });
    expect(project.read('data/a')).toBe('one');
    expect(project.read('data/b')).toBe('two');
  });

  test('a new file in a tracked folder is refused to be removed', async () => {
    project.write('data/a', 'one');
    const artifact = await commitOne(project.ws, 'data');
    project.write('data/new', 'mine');
    expect((await restore(artifact)).refused).toEqual(['data/new']);
    expect((await restore(undefined)).refused).toEqual(['data/new']);
    expect(project.read('data/new')).toBe('mine');
  });

  test('a symlink that no listing in the cache tells of is refused to be removed', async () => {
    project.write('data/a', 'one');
    project.write('outside/file', 'mine');
    const artifact = await commitOne(project.ws, 'data');
    symlinkSync('a', at('data/kept'));
    const withLink = await commitOne(project.ws, 'data');
    expect(await restore(artifact)).toMatchObject({ refused: [], modified: ['data'] });
    symlinkSync('./a', at('data/new'));
    symlinkSync('../outside/file', at('data/followed'));
    symlinkSync('../outside', at('data/folder'));
    const before = listing(at('data'));
    const refused = ['data/folder', 'data/followed', 'data/new'];
    for (const target of [artifact, withLink, undefined]) {
      expect([...(await restore(target)).refused].sort()).toEqual(refused);
      expect(listing(at('data'))).toEqual(before);
    }
    const all = await commitOne(project.ws, 'data');
    expect(await restore(withLink)).toMatchObject({ refused: [], failed: [] });
    expect(await restore(all)).toMatchObject({ refused: [], failed: [] });
    rmSync(at('data/folder'), { recursive: true });
    symlinkSync('../outside', at('data/folder'));
    expect(await restore(undefined)).toMatchObject({ refused: [], deleted: ['data'] });
    expect(existsSync(at('data'))).toBe(false);
    expect(project.read('outside/file')).toBe('mine');
  });

  test('a symlink in place of what is tracked is refused to be replaced, unless the cache has all that it leads to', async () => {
    project.write('data/a', 'one');
    const artifact = await commitOne(project.ws, 'data');
    rmSync(at('data'), { recursive: true });
    symlinkSync('/not/mounted/now', at('data'));
    expect(await restore(artifact)).toMatchObject({ refused: ['data'] });
    rmSync(at('data'));
    project.write('elsewhere/a', 'another');
    symlinkSync('elsewhere', at('data'));
    expect(await restore(artifact)).toMatchObject({ refused: ['data'] });
    await commitOne(project.ws, 'data');
    expect(await restore(artifact)).toMatchObject({ refused: [], modified: ['data'] });
    expect(listing(at('elsewhere'))).toHaveLength(2);
  });

  test.each(['hardlink', 'symlink'] as const)(
    'with link %s, files that a symlink leads to stay their own',
    async (link) => {
      const ws = project.reopen({ link: [link, 'copy'] });
      project.write('outside/large', randomBytes(100_000));
      project.write('outside/readonly', 'x', 0o444);
      project.write('data/a', 'a');
      symlinkSync('../outside', at('data/folder'));
      symlinkSync('outside', at('all'));
      const stats = (): unknown[] =>
        ['large', 'readonly'].map((name) => {
          const { ino, mode, nlink } = lstatSync(at(`outside/${name}`));
          return [ino, mode, nlink];
        });
      const before = stats();
      const [artifact] = [await commitOne(ws, 'data'), await commitOne(ws, 'all')];
      await ws.unprotect([path('data'), path('all')]);
      await ws.checkout([{ path: path('data'), artifact }], { relink: true });
      expect(stats()).toEqual(before);
    },
  );

  test('what is in the cache is deleted when it should not be there; ignored files stay', async () => {
    project.write('.dagignore', '*.log\n');
    project.write('data/a', 'one');
    project.write('data/run.log', 'log');
    const artifact = await commitOne(project.ws, 'data');
    expect(artifact).toMatchObject({ files: 1 });
    expect(await restore(undefined)).toMatchObject({ deleted: ['data'], refused: [] });
    expect(readdirSync(at('data'))).toEqual(['run.log']);
  });

  test('an edit never reaches the cache', async () => {
    const bytes = randomBytes(200_000);
    project.write('data/large', bytes);
    const artifact = await commitOne(project.ws, 'data');
    writeFileSync(at('data/large'), 'x', { flag: 'r+' });
    expect((await project.ws.observe([path('data')])).get(path('data'))).not.toEqual(artifact);
    await restore(artifact, { force: true });
    expect(lstatSync(at('data/large')).size).toBe(200_000);
    expect((await project.ws.observe([path('data')])).get(path('data'))).toEqual(artifact);
  });

  test('unchanged files keep their inode', async () => {
    for (let i = 0; i < 5; i++) project.write(`data/${i}`, `content ${i}`);
    const artifact = await commitOne(project.ws, 'data');
    const inodes = [0, 1, 2, 3].map((i) => statSync(at(`data/${i}`)).ino);
    rmSync(at('data/4'));
    await restore(artifact);
    expect([0, 1, 2, 3].map((i) => statSync(at(`data/${i}`)).ino)).toEqual(inodes);
    expect(project.read('data/4')).toBe('content 4');
  });
});

test('links into a cache that was moved are told from what the user made, and replaced', async () => {
  const ws = project.reopen({ link: ['symlink', 'copy'] });
  project.write('data/large', Buffer.alloc(100_000, 'a'));
  project.write('data/in/large', Buffer.alloc(100_000, 'b'));
  project.write('one', Buffer.alloc(100_000, 'c'));
  const [artifact, one] = [await commitOne(ws, 'data'), await commitOne(ws, 'one')];
  const before = [listing(at('data')).length, project.read('one')];
  renameSync(at('.cache/objects'), at('moved-objects'));
  mkdirSync(at('new'));
  renameSync(at('moved-objects'), at('new/objects'));
  expect((await ws.observe([path('one')])).get(path('one'))).toBeUndefined();
  const moved = openWorkspace({ root: project.root, store: openStore({ dir: at('new') }), link: ['symlink'] });
  const items = [
    { path: path('data'), artifact },
    { path: path('one'), artifact: one },
  ];
  expect(await moved.checkout(items)).toMatchObject({ failed: [], refused: [], modified: ['data', 'one'] });
  expect([listing(at('data')).length, project.read('one')]).toEqual(before);
  expect(await moved.unprotect([path('data'), path('one')])).toEqual(['data', 'one']);
  expect((await moved.observe([path('data')])).get(path('data'))).toEqual(artifact);
  await moved.close();
});

describe('a same-size edit is seen', () => {
  test.each([['right after a commit'], ['right after a checkout']])('%s', async (when) => {
    for (let round = 0; round < 20; round++) {
      rmSync(at('data'), { recursive: true, force: true });
      project.write('data/a', `0000-${round}`);
      const artifact = await commitOne(project.ws, 'data');
      if (when === 'right after a checkout') {
        rmSync(at('data'), { recursive: true });
        await restore(artifact);
      }
      project.write('data/a', `1111-${round}`);
      expect((await project.ws.observe([path('data')])).get(path('data'))).not.toEqual(artifact);
    }
  });

  test('even when its mtime is put back', async () => {
    project.write('data/a', 'one');
    utimesSync(at('data/a'), 1000, 1000);
    await new Promise((resolve) => setTimeout(resolve, 60));
    const artifact = await commitOne(project.ws, 'data');
    project.write('data/a', 'two');
    utimesSync(at('data/a'), 1000, 1000);
    expect((await project.ws.observe([path('data')])).get(path('data'))).not.toEqual(artifact);
  });
});

describe('the stat cache is only a cache', () => {
  const damage: [string, (file: string) => void][] = [
    ['gone', (file) => rmSync(file)],
    ['empty', (file) => writeFileSync(file, '')],
    ['cut short', (file) => writeFileSync(file, randomBytes(5000))],
    ['nonsense', (file) => writeFileSync(file, randomBytes(100_000))],
    [
      'a folder',
      (file) => {
        rmSync(file);
        mkdirSync(file);
      },
    ],
  ];
  test.each(damage)('%s', async (_, harm) => {
    for (let i = 0; i < 50; i++) project.write(`data/${i}`, `content ${i}`);
    const artifact = await commitOne(project.ws, 'data');
    await project.ws.close();
    harm(at('.cache/stat/stat-1.mdb'));
    const again = project.reopen();
    expect((await again.observe([path('data')])).get(path('data'))).toEqual(artifact);
    expect((await again.observe([path('data')])).get(path('data'))).toEqual(artifact);
  });
});

test('a path below a file, and a symlink that leads in a circle, are absent', async () => {
  project.write('file', 'x');
  symlinkSync('circle', at('circle'));
  const observed = await project.ws.observe([path('file/below'), path('circle'), path('none')]);
  expect([...observed.values()]).toEqual([undefined, undefined, undefined]);
});

describe('what can not be kept is refused by name', () => {
  test('a FIFO, a socket, a broken symlink, a name that is not UTF-8', async () => {
    project.write('data/a', 'a');
    execFileSync('mkfifo', [at('data/pipe')]);
    await expect(project.ws.commit([path('data')])).rejects.toThrow(/"data\/pipe": it is a FIFO/);
    rmSync(at('data/pipe'));
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(at('data/socket'), resolve));
    await expect(project.ws.commit([path('data')])).rejects.toThrow(/"data\/socket": it is a socket/);
    await new Promise((resolve) => server.close(resolve));
    symlinkSync('/nowhere/at/all', at('data/broken'));
    await expect(project.ws.commit([path('data')])).rejects.toThrow(/"data\/broken": it is a symlink to/);
    rmSync(at('data/broken'));
    writeFileSync(Buffer.concat([Buffer.from(`${at('data')}/`), Buffer.from([0xff, 0xfe])]), 'x');
    await expect(project.ws.commit([path('data')])).rejects.toThrow(/not valid UTF-8/);
    expect(existsSync(at('.cache/objects'))).toBe(false);
  });

  test('a symlink to a folder that it lies in', async () => {
    mkdirSync(at('data/inner'), { recursive: true });
    symlinkSync(project.root, at('data/inner/up'));
    await expect(project.ws.commit([path('data')])).rejects.toThrow(/lies in/);
  });

  test('an ignore file inside a tracked folder; an absent path', async () => {
    project.write('data/.dagignore', 'x');
    await expect(project.ws.commit([path('data')])).rejects.toThrow(/ignore file/);
    await expect(project.ws.commit([path('nothing')])).rejects.toMatchObject({ failure: { code: 'io' } });
  });

  test('an unreadable file', async () => {
    project.write('data/a', 'a', 0o000);
    await asNobody([project.root], async () => {
      await expect(project.ws.commit([path('data')])).rejects.toThrow(/permission denied/);
    });
    chmodSync(at('data/a'), 0o644);
  });
});

test('a folder that nobody may write to is set aside, comes back as it was, and goes when it is not needed', async () => {
  project.write('data/inner/a', 'a');
  project.write('.cache/tmp/.keep', '');
  for (const folder of ['data/inner', 'data']) chmodSync(at(folder), 0o555);
  await asNobody([project.root], async () => {
    const first = project.ws.setAside([path('data')]);
    expect(existsSync(at('data'))).toBe(false);
    project.write('data', 'half of a new one');
    first.putBack();
    expect(project.read('data/inner/a')).toBe('a');
    expect(lstatSync(at('data')).mode & 0o777).toBe(0o555);
    const second = project.ws.setAside([path('data')]);
    second.discard();
    expect([existsSync(at('data')), readdirSync(at('.cache/tmp'))]).toEqual([false, ['.keep']]);
  });
});

describe('a listing from elsewhere is not trusted', () => {
  const store = (entries: TreeEntry[]): Artifact => {
    const digest = project.store.putBytes(encodeTree(entries));
    return { kind: 'folder', digest, size: 1, files: 5 };
  };
  const file = (name: string): TreeEntry => {
    const digest = project.store.putBytes(Buffer.from('x'));
    return { kind: 'file', name, executable: false, size: 1, digest };
  };

  test.each(['.git', '.GIT', '.Git', '.g\u200cit'])('%s is never written', async (name) => {
    const report = await restore(store([file(name), file('fine')]));
    expect(report.failed).toMatchObject([{ path: `data/${name}`, reason: 'a name that is never written' }]);
    expect(readdirSync(at('data'))).toEqual(['fine']);
  });

  test.each(['../..', '/etc/passwd', 'a/../../../x'])('a symlink to %s is not made', async (target) => {
    const report = await restore(store([{ kind: 'symlink', name: 'l', target }]));
    expect(report.failed).toMatchObject([{ path: 'data/l' }]);
    expect(readdirSync(at('data'))).toEqual([]);
  });

  test('nothing is written through a symlink on the way, or into .git and .cache', async () => {
    mkdirSync(at('outside'));
    symlinkSync('outside', at('way'));
    const artifact = store([file('a')]);
    for (const target of ['way/data', '.git/hooks', '.cache/objects', 'sub/.git/x']) {
      const report = await project.ws.checkout([{ path: path(target), artifact }]);
      expect(report.failed).toMatchObject([{ path: target }]);
    }
    expect(listing(at('outside'))).toEqual(['d ""']);
    expect(existsSync(at('.git'))).toBe(false);
  });

  test('a symlink in a listing does not lead later files of it astray', async () => {
    mkdirSync(at('outside'));
    mkdirSync(at('data'));
    symlinkSync('../outside', at('data/sub'));
    const inner = store([file('a')]);
    const artifact = store([{ kind: 'folder', name: 'sub', size: 1, files: 1, digest: inner.digest }]);
    expect(await restore(artifact)).toMatchObject({ failed: [], modified: ['data'] });
    expect(listing(at('outside'))).toEqual(['d ""']);
    expect(lstatSync(at('data/sub')).isDirectory()).toBe(true);
  });

  test('names that the file system takes for one are refused by name', async () => {
    const isOneName = (_: string, a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();
    const ws = project.reopen({ isOneName });
    const inner = store([file('b'), file('B'), { kind: 'symlink', name: 'c', target: 'b' }, file('C')]);
    const artifact = store([
      file('A'),
      file('a'),
      file('caf\u00e9'),
      file('cafe\u0301'),
      { kind: 'folder', name: 'in', size: 1, files: 2, digest: inner.digest },
    ]);
    const refused = ['data/a', 'data/in/b', 'data/in/c'];
    for (const stands of [false, true]) {
      if (stands) rmSync(at('data/A'));
      const report = await ws.checkout([{ path: path('data'), artifact }]);
      expect(report.failed.map((one) => one.path).sort()).toEqual(refused);
      expect(report.failed[0]?.reason).toMatch(/takes its name for that of '.'/);
      expect(readdirSync(at('data')).sort()).toEqual(['A', 'cafe\u0301', 'caf\u00e9', 'in']);
    }
    const both = ['Sub/x', 'sub/x'].map((name) => ({ path: path(name), artifact }));
    expect((await ws.checkout(both)).failed).toContainEqual(expect.objectContaining({ path: 'sub/x' }));
    expect(existsSync(at('sub'))).toBe(false);
    expect((await restore(artifact)).failed).toEqual([]);
    expect(readdirSync(at('data'))).toHaveLength(5);
  });

  test('the cache by another name is the cache', async (context) => {
    if (process.getuid?.() !== 0) return context.skip('only root can mount');
    project.write('data/a', 'a');
    await commitOne(project.ws, 'data');
    mkdirSync(at('mount'));
    execFileSync('mount', ['--bind', at('.cache'), at('mount')]);
    try {
      for (const target of ['mount', 'mount/objects']) {
        const report = await project.ws.checkout([{ path: path(target), artifact: undefined }]);
        expect(report.failed).toMatchObject([{ path: target, reason: 'it is inside the cache' }]);
      }
    } finally {
      execFileSync('umount', [at('mount')]);
    }
    expect(existsSync(at('.cache/objects'))).toBe(true);
  });

  test('a listing that unfolds without end is cut off', async () => {
    let digest = store([file('a')]).digest;
    const folder = (name: string): TreeEntry => ({ kind: 'folder', name, size: 1, files: 1, digest });
    for (let depth = 0; depth < 40; depth++) digest = store([folder('x'), folder('y')]).digest;
    const report = await restore({ kind: 'folder', digest, size: 1, files: 1 });
    expect(report).toMatchObject({ failed: [{ path: 'data' }], added: [] });
    expect(existsSync(at('data'))).toBe(false);
  });
});

describe('objects that are not there or not whole', () => {
  const objectFile = (digest: Digest): string =>
    at(`.cache/objects/${digestHex(digest).slice(0, 2)}/${digestHex(digest).slice(2)}`);

  test('missing ones are reported by path, the rest is placed', async () => {
    project.write('data/a', 'one');
    project.write('data/b', 'two');
    const artifact = await commitOne(project.ws, 'data');
    const lost = (await project.ws.observe([path('data/a')])).get(path('data/a'))?.digest as Digest;
    rmSync(objectFile(lost));
    rmSync(at('data'), { recursive: true });
    const report = await restore(artifact);
    expect(report.failed).toEqual([{ path: 'data/a', digest: lost, reason: 'not in the cache' }]);
    expect(readdirSync(at('data'))).toEqual(['b']);
    expect(await restore(artifact, { allowMissing: true })).toMatchObject({
      failed: [],
      missing: [{ path: 'data/a' }],
    });
  });

  test.each([10, 200_000])('a damaged one of %d bytes is quarantined, named and never placed', async (size) => {
    project.write('data/a', Buffer.alloc(size, 'a'));
    const artifact = await commitOne(project.ws, 'data');
    const digest = (await project.ws.observe([path('data/a')])).get(path('data/a'))?.digest as Digest;
    chmodSync(objectFile(digest), 0o644);
    writeFileSync(objectFile(digest), 'X', { flag: 'r+' });
    rmSync(at('data'), { recursive: true });
    const report = await restore(artifact);
    expect(report.failed).toMatchObject([{ path: 'data/a', digest, reason: expect.stringMatching(/^damaged/) }]);
    expect(readdirSync(at('data'))).toEqual([]);
    expect(readdirSync(at('.cache/quarantine'))).toEqual([digestHex(digest)]);
  });

  test('one that several threads place at once is found damaged by one of them: each path is named', async () => {
    // Of each content many copies, so that threads meet; enough of it for threads.
    for (let i = 0; i < 96; i++) project.write(`data/${i % 12}/${i}`, Buffer.alloc(400_000, `${i % 8}`));
    const artifact = await commitOne(project.ws, 'data');
    for (const { digest, size = 0 } of project.store.list()) {
      if (size < 400_000) continue;
      chmodSync(objectFile(digest), 0o644);
      writeFileSync(objectFile(digest), 'X', { flag: 'r+' });
    }
    for (const link of ['copy', 'reflink', 'hardlink', 'symlink'] as const) {
      const again = project.reopen({ link: [link, 'copy'], threads: 4 });
      rmSync(at('data'), { recursive: true });
      const { failed } = await again.checkout([{ path: path('data'), artifact }]);
      expect(failed).toHaveLength(96);
    }
  });

  test('a damaged or missing tree fails the folder, and what stands there stays', async () => {
    project.write('data/a', 'one');
    const artifact = await commitOne(project.ws, 'data');
    project.write('data/a', 'two');
    const other = await commitOne(project.ws, 'data');
    chmodSync(objectFile(artifact.digest), 0o644);
    writeFileSync(objectFile(artifact.digest), 'dag tree 2', { flag: 'r+' });
    expect((await restore(artifact)).failed).toMatchObject([{ path: 'data', digest: artifact.digest }]);
    expect((await project.ws.observe([path('data')])).get(path('data'))).toEqual(other);
  });
});
