import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  readdirSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type Digest, digestHex } from '@dag/model';
import { hashBytes } from '@dag/store';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { asNobody, NOBODY } from '../../../test/rigs/nobody.ts';
import { newProject, type Project, path } from './helpers.ts';

// Large files that become objects by a second name: what was hashed is what the object holds, whatever happens meanwhile.

const LARGE = 70_000;
const content = (i: number): Buffer => Buffer.alloc(LARGE, `content ${i} `);
const digest = (i: number): Digest => hashBytes(content(i));

let project: Project;
beforeEach(() => {
  project = newProject({ link: ['hardlink', 'copy'] });
});
afterEach(() => project.dispose());

/** A file whose times are settled. */
function write(file: string, i: number): void {
  project.write(file, content(i));
  const past = Date.now() / 1000 - 10;
  utimesSync(join(project.root, file), past, past);
}

function objectOf(i: number): string {
  const hex = digestHex(digest(i));
  return join(project.root, '.cache/objects', hex.slice(0, 2), hex.slice(2));
}

const inode = (file: string): number => statSync(join(project.root, file)).ino;

test('a file is its object, read-only; an equal one becomes a link to it', async () => {
  write('d/a', 1);
  write('d/in/b', 1);
  write('d/c', 2);
  await project.ws.commit([path('d')]);
  expect(statSync(objectOf(1))).toMatchObject({ nlink: 3, mode: 0o100444 });
  expect(statSync(objectOf(2))).toMatchObject({ nlink: 2, ino: inode('d/c') });
  expect([inode('d/a'), inode('d/in/b')]).toEqual([statSync(objectOf(1)).ino, statSync(objectOf(1)).ino]);
  expect(readdirSync(join(project.root, '.cache/tmp'))).toEqual([]);
});

test('all that was linked is known: nothing is read again to look at it', async () => {
  for (let i = 0; i < 70; i++) write(`d/${i}`, i);
  const committed = await project.ws.commit([path('d')]);
  const read: number[] = [];
  const again = await project.reopen().observe([path('d')], { onProgress: ({ bytes }) => read.push(bytes) });
  expect(again.get(path('d'))).toEqual(committed.get(path('d')));
  expect(Math.max(0, ...read)).toBe(0);
});

test('a single file that was linked is known', async () => {
  project.write('one', Buffer.alloc(3_000_000, 'one'));
  const past = Date.now() / 1000 - 10;
  utimesSync(join(project.root, 'one'), past, past);
  await project.ws.commit([path('one')]);
  // What it has to tell the stat cache may wait until then.
  await project.ws.close();
  const read: number[] = [];
  await project.reopen().observe([path('one')], { onProgress: ({ bytes }) => read.push(bytes) });
  expect(Math.max(0, ...read)).toBe(0);
});

describe('what changes after it was hashed, and before it is linked, is refused', () => {
  const abs = (): string => join(project.root, 'd/a');
  const changes: Record<string, () => void> = {
    'written in place': () => writeFileSync(abs(), content(9)),
    'another file under its name': () => {
      writeFileSync(`${abs()}.new`, content(9));
      renameSync(`${abs()}.new`, abs());
    },
    'written in place, its mtime put back': () => {
      const { atime, mtime } = statSync(abs());
      writeFileSync(abs(), content(9));
      utimesSync(abs(), atime, mtime);
    },
    'of another length': () => writeFileSync(abs(), content(9).subarray(1)),
  };
  test.each(Object.entries(changes))('%s', async (_, change) => {
    write('d/a', 1);
    write('d/b', 2);
    const record = async (): Promise<undefined> => {
      change();
      return undefined;
    };
    await expect(project.ws.commit([path('d')], { record })).rejects.toThrow(
      "can't store d/a: it changes while it is read",
    );
    expect(existsSync(objectOf(1))).toBe(false);
    expect(readdirSync(join(project.root, '.cache/tmp'))).toEqual([]);
    chmodSync(abs(), 0o644);
    await project.ws.commit([path('d')]);
    expect(project.store.has(digest(2))).toBe(true);
    expect((await project.store.checkAll()).damaged).toEqual([]);
  });

  test('another link to it is no change', async () => {
    write('d/a', 1);
    const record = async (): Promise<undefined> => {
      linkSync(abs(), join(project.root, 'elsewhere'));
      return undefined;
    };
    await project.ws.commit([path('d')], { record });
    expect(statSync(objectOf(1))).toMatchObject({ ino: inode('d/a'), nlink: 3 });
  });
});

test('while a gc is at work, no object that is there is relied on', async () => {
  write('a', 1);
  await project.ws.commit([path('a')]);
  write('b', 1);
  const gc = project.store.announceGc();
  try {
    await project.reopen().commit([path('b')]);
  } finally {
    gc.end();
  }
  expect(statSync(objectOf(1)).ino).toBe(inode('b'));
  expect(project.store.check(digest(1))).toBeUndefined();
});

test('a file that has other names is copied', async () => {
  write('d/a', 1);
  write('d/b', 2);
  const linked = join(project.root, 'elsewhere');
  linkSync(join(project.root, 'd/b'), linked);
  await project.ws.commit([path('d')]);
  expect(statSync(objectOf(1)).ino).toBe(inode('d/a'));
  expect(statSync(objectOf(2)).ino).not.toBe(statSync(linked).ino);
  expect(statSync(linked).mode & 0o777).not.toBe(0o444);
});

test('a file of another owner is copied', async (context) => {
  if (process.getuid?.() !== 0) context.skip('only root has files of others');
  write('d/a', 1);
  write('d/b', 2);
  await asNobody([project.root], async () => {
    process.seteuid?.(0);
    chownSync(join(project.root, 'd/a'), 0, 0);
    process.seteuid?.(NOBODY);
    await project.ws.commit([path('d')]);
  });
  expect(statSync(objectOf(1)).ino).not.toBe(inode('d/a'));
  expect(statSync(join(project.root, 'd/a')).mode & 0o777).not.toBe(0o444);
  expect(statSync(objectOf(2)).ino).toBe(inode('d/b'));
  expect((await project.store.checkAll()).damaged).toEqual([]);
});
