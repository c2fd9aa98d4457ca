import { chmodSync, cpSync, linkSync, renameSync, rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LinkStrategy } from '../src/index.ts';
import { newProject, type Project, path } from './helpers.ts';

// Above the size from which files become links.
const LARGE = 'x'.repeat(70_000);

describe.each([['hardlink'], ['symlink'], ['copy']] as LinkStrategy[][])('isTouchedSince, files by %s', (strategy) => {
  let project: Project;
  let time: number;

  beforeEach(async () => {
    project = newProject({ link: [strategy as LinkStrategy] });
    project.write('data/in/large', LARGE);
    project.write('data/small', 'small\n');
    await project.ws.commit([path('data')]);
    time = await later();
  });
  afterEach(() => project.dispose());

  const isTouched = (): Promise<boolean> => project.ws.isTouchedSince(path('data'), time);

  /** A time after which nothing has happened yet, however coarse the clock of the file system. */
  async function later(): Promise<number> {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return Date.now();
  }

  test('not where nothing happened, and not by another name in the cache or beside', async () => {
    expect(await isTouched()).toBe(false);
    await later();
    const [artifact] = (await project.ws.observe([path('data')])).values();
    await project.ws.checkout([{ path: path('copy'), artifact }]);
    if (strategy === 'hardlink') linkSync(join(project.root, 'data/in/large'), join(project.root, 'beside'));
    expect(await isTouched()).toBe(false);
  });

  test('not by what changes no content: another mode, a copy of the project with all times, a time in the future', async () => {
    project.write('data/future', 'new\n');
    utimesSync(join(project.root, 'data/future'), 4e9, 4e9);
    time = await later();
    chmodSync(join(project.root, 'data/small'), 0o600);
    cpSync(join(project.root, 'data/small'), join(project.root, 'copy'), { preserveTimestamps: true });
    renameSync(join(project.root, 'copy'), join(project.root, 'data/small'));
    expect(await isTouched()).toBe(false);
  });

  test.each(['data/in/large', 'data/small'])('by writing %s anew with what it had', async (file) => {
    await later();
    project.write('new', project.read(file));
    renameSync(join(project.root, 'new'), join(project.root, file));
    expect(await isTouched()).toBe(true);
  });

  test('where nothing stands there any more', async () => {
    rmSync(join(project.root, 'data'), { recursive: true });
    expect(await isTouched()).toBe(true);
  });
});
