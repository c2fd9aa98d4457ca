import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { ProjectPath } from '@dag/model';
import { openStore } from '@dag/store';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LinkStrategy, openWorkspace, probeLinks } from '../src/index.ts';

// Real file systems: images on loop devices, tmpfs, overlay. Mounting needs root, and a kernel and tools that can.

const MB = 1_000_000;
const base = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'dag-fs-')));
const mounted: string[] = [];

afterAll(() => {
  // Whatever still looks at it, an indexer of the desktop say, loses it.
  for (const at of mounted.reverse()) run('umount', '-l', at);
  fs.rmSync(base, { recursive: true, force: true });
});

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

function image(name: string, megabytes: number, mkfs: string, ...args: string[]): string {
  const file = path.join(base, `${name}.img`);
  fs.writeFileSync(file, '');
  fs.truncateSync(file, megabytes * MB);
  run(mkfs, ...args, file);
  return mount(name, '-o', 'loop', file);
}

function mount(name: string, ...args: string[]): string {
  const at = path.join(base, name);
  fs.mkdirSync(at);
  run('mount', ...args, at);
  mounted.push(at);
  return at;
}

interface FileSystem {
  readonly make: (name: string) => string;
  readonly needs: readonly string[];
  readonly reflinks: boolean;
}

const FILE_SYSTEMS: Readonly<Record<string, FileSystem>> = {
  ext4: { make: (name) => image(name, 120, 'mkfs.ext4', '-q'), needs: ['mkfs.ext4'], reflinks: false },
  xfs: { make: (name) => image(name, 400, 'mkfs.xfs', '-q', '-m', 'reflink=1'), needs: ['mkfs.xfs'], reflinks: true },
  btrfs: { make: (name) => image(name, 200, 'mkfs.btrfs', '-q'), needs: ['mkfs.btrfs'], reflinks: true },
  tmpfs: { make: (name) => mount(name, '-t', 'tmpfs', 'none'), needs: [], reflinks: false },
  overlay: { make: overlay, needs: [], reflinks: false },
};

/** Over a tmpfs, which an overlay can lie on wherever this runs. */
function overlay(name: string): string {
  const under = mount(`${name}-under`, '-t', 'tmpfs', 'none');
  for (const part of ['lower', 'upper', 'work']) fs.mkdirSync(path.join(under, part));
  const layers = ['lower', 'upper', 'work'].map((part) => `${part}dir=${path.join(under, part)}`).join(',');
  return mount(name, '-t', 'overlay', '-o', layers, 'none');
}

/** Why a file system can't be had here; undefined where it can. */
function obstacle({ needs }: FileSystem): string | undefined {
  if (process.platform !== 'linux') return 'only Linux mounts these';
  if (process.getuid?.() !== 0) return 'only root can mount';
  const missing = needs.find((tool) => !onPath(tool));
  return missing === undefined ? undefined : `there is no ${missing}`;
}

/** Where a file system is mounted, or why it can't be. */
function tryMount(name: string, system: FileSystem): { at: string; why?: undefined } | { at?: undefined; why: string } {
  const why = obstacle(system);
  if (why !== undefined) return { why };
  try {
    return { at: system.make(name) };
  } catch (error) {
    return { why: `it can't be mounted here: ${(error as Error).message.split('\n').at(-2) ?? ''}` };
  }
}

function onPath(tool: string): boolean {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin'];
  return folders.some((folder) => fs.existsSync(path.join(folder, tool)));
}

function open(root: string, link?: readonly LinkStrategy[], cache = path.join(root, '.cache')) {
  fs.mkdirSync(root, { recursive: true });
  const store = openStore({ dir: cache });
  return { store, workspace: openWorkspace({ root, store, ...(link === undefined ? {} : { link }) }) };
}

const DATA = 'data' as ProjectPath;

/** A folder with a large file and a small one, committed; checked out anew; then edited in place. */
async function editWhatWasCheckedOut(root: string, link: readonly LinkStrategy[] | undefined, cache?: string) {
  const { store, workspace } = open(root, link, cache);
  const [large, small] = [path.join(root, 'data', 'large'), path.join(root, 'data', 'small')];
  fs.mkdirSync(path.dirname(large), { recursive: true });
  fs.writeFileSync(large, Buffer.alloc(MB, 'a'));
  fs.writeFileSync(small, 'small');
  const artifact = (await workspace.commit([DATA])).get(DATA);
  if (artifact === undefined) throw new Error('nothing was committed');
  const seen = { afterCommit: fs.lstatSync(large), afterCheckout: fs.lstatSync(large) };
  fs.rmSync(path.join(root, 'data'), { recursive: true });
  const report = await workspace.checkout([{ path: DATA, artifact }]);
  expect(report).toMatchObject({ failed: [], refused: [], files: 2 });
  seen.afterCheckout = fs.lstatSync(large);
  expect(fs.readFileSync(large).equals(Buffer.alloc(MB, 'a'))).toBe(true);
  const edit = (): void => {
    for (const file of [large, small]) {
      const fd = fs.openSync(file, 'r+');
      fs.writeSync(fd, 'EDIT', 0);
      fs.closeSync(fd);
    }
  };
  return { ...seen, store, workspace, artifact, edit, close: () => workspace.close() };
}

describe.each(Object.entries(FILE_SYSTEMS))('%s', (name, system) => {
  let [at, why] = ['', undefined as string | undefined];
  beforeAll(() => {
    ({ at = '', why } = tryMount(name, system));
  });
  let serial = 0;
  const fresh = (): string => path.join(at, `project ${serial++}`);

  test('the probe says what works', (context) => {
    if (why !== undefined) return context.skip(why);
    const works = Object.fromEntries(probeLinks(at, at).map((probe) => [probe.strategy, probe.works]));
    expect(works).toEqual({ reflink: system.reflinks, hardlink: true, symlink: true, copy: true });
    expect(fs.readdirSync(at).filter((entry) => /probe|dag/.test(entry))).toEqual([]);
  });

  test.for([undefined, ['reflink', 'hardlink', 'copy'], ['hardlink', 'copy'], ['symlink', 'copy'], ['copy']] as (
    | LinkStrategy[]
    | undefined
  )[])('link %j: content is whole, and no edit reaches the cache', async (link, context) => {
    if (why !== undefined) return context.skip(why);
    const one = await editWhatWasCheckedOut(fresh(), link);
    try {
      const first = (link ?? ['reflink', 'copy']).find((strategy) => strategy !== 'reflink' || system.reflinks);
      for (const stats of [one.afterCommit, one.afterCheckout]) {
        expect(stats.isSymbolicLink()).toBe(first === 'symlink');
        if (first !== 'symlink') expect(stats.nlink).toBe(first === 'hardlink' ? 2 : 1);
        if (first === 'hardlink') expect(stats.mode & 0o222).toBe(0);
      }
      if (first === 'reflink' || first === 'copy') {
        one.edit();
        expect(await one.store.checkAll()).toMatchObject({ damaged: [] });
        await one.workspace.checkout([{ path: DATA, artifact: one.artifact }], { force: true });
        expect((await one.workspace.observe([DATA])).get(DATA)).toEqual(one.artifact);
      } else {
        await one.workspace.unprotect([DATA]);
        one.edit();
        expect(await one.store.checkAll()).toMatchObject({ damaged: [] });
      }
    } finally {
      await one.close();
    }
  });

  if (system.reflinks) {
    test('a reflink takes no space of its own', async (context) => {
      if (why !== undefined) return context.skip(why);
      const root = fresh();
      const { workspace } = open(root);
      fs.writeFileSync(path.join(root, 'big'), Buffer.alloc(40 * MB, 1));
      run('sync', '-f', root);
      const free = (): number => fs.statfsSync(root).bavail * fs.statfsSync(root).bsize;
      const before = free();
      const big = 'big' as ProjectPath;
      const artifact = (await workspace.commit([big])).get(big);
      fs.rmSync(path.join(root, 'big'));
      await workspace.checkout([{ path: big, artifact }]);
      run('sync', '-f', root);
      expect(before - free()).toBeLessThan(10 * MB);
      await workspace.close();
    });
  }

  test.for([
    ['reflink', 'copy'],
    ['hardlink', 'copy'],
    ['hardlink', 'symlink'],
  ] as [LinkStrategy, LinkStrategy][])(
    'with the cache on another mount, %s falls through to %s',
    async ([first, second], context) => {
      if (why !== undefined) return context.skip(why);
      const cache = path.join(base, `cache of ${name} ${serial}`);
      const one = await editWhatWasCheckedOut(fresh(), [first, second], cache);
      try {
        expect(one.afterCheckout.isSymbolicLink()).toBe(second === 'symlink');
        if (second === 'symlink') await one.workspace.unprotect([DATA]);
        one.edit();
        expect(await one.store.checkAll()).toMatchObject({ damaged: [] });
      } finally {
        await one.close();
      }
    },
  );
});
