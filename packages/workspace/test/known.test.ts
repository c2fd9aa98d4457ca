import { chmodSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, truncateSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import type { Artifact } from '@dag/model';
import { openStore } from '@dag/store';
import { expect, onTestFinished, test } from 'vitest';
import { openWorkspace, type Workspace } from '../src/index.ts';
import { commitOne, newProject, path } from './helpers.ts';

/** So many files that the stat cache is asked, and that their tree is remembered. */
const MANY = 100;

/** A committed folder, checked out again: times of what was just written tell nothing, of what was placed they do. */
async function committed() {
  const project = newProject();
  onTestFinished(() => project.dispose());
  const at = (name: string): string => join(project.root, 'data', name);
  for (let i = 0; i < MANY; i++) project.write(`data/f${i}`, `text ${i}`);
  const artifact = await commitOne(project.ws, 'data');
  rmSync(at('.'), { recursive: true });
  await project.ws.checkout([{ path: path('data'), artifact }]);
  await project.ws.close();
  /** With a store that has looked at nothing yet. */
  const again = () => {
    const store = openStore({ dir: join(project.root, '.cache') });
    const ws = openWorkspace({ root: project.root, store });
    onTestFinished(() => ws.close());
    return { ws, packsRead: () => store.shareIndexes().length };
  };
  const packs = (): string[] => readdirSync(join(project.root, '.cache/packs'));
  const pack = (): string => join(project.root, '.cache/packs', packs()[0] as string);
  return { ...project, at, artifact, again, packs, pack };
}

async function seen(ws: Workspace): Promise<Artifact | undefined> {
  return (await ws.observe([path('data')])).get(path('data'));
}

test('of a folder that is as it was, no pack is opened to tell that the cache has it', async () => {
  const { artifact, again, packs } = await committed();
  const { ws, packsRead } = again();
  expect(await commitOne(ws, 'data')).toEqual(artifact);
  expect(ws.isComplete(artifact)).toBe(true);
  expect(await seen(ws)).toEqual(artifact);
  expect(packsRead()).toBe(0);
  expect(packs()).toHaveLength(1);
});

test('what was not known to be there is looked up once', async () => {
  const { root, artifact, again } = await committed();
  rmSync(join(root, '.cache/stat'), { recursive: true });
  const first = again();
  expect(first.ws.isComplete(artifact)).toBe(true);
  expect(first.packsRead()).toBe(1);
  await first.ws.close();
  const second = again();
  expect(second.ws.isComplete(artifact)).toBe(true);
  expect(second.packsRead()).toBe(0);
});

test.each([
  ['gone', (pack: string) => rmSync(pack)],
  ['cut short', (pack: string) => truncateSync(pack, 1000)],
])('a pack that is %s is missed, and what it held is stored anew', async (_, harm) => {
  const { artifact, again, pack } = await committed();
  chmodSync(pack(), 0o644);
  harm(pack());
  expect(again().ws.isComplete(artifact)).toBe(false);
  const { ws } = again();
  expect(await commitOne(ws, 'data')).toEqual(artifact);
  expect(again().ws.isComplete(artifact)).toBe(true);
});

test('an object with a file of its own that is gone is missed, and stored anew', async () => {
  const { root, write, again, ws } = await committed();
  write('data/f0', 'other');
  const artifact = await commitOne(ws, 'data');
  const objects = readdirSync(join(root, '.cache/objects'), { recursive: true, withFileTypes: true });
  const files = objects.filter((entry) => entry.isFile());
  expect(files.length).toBeGreaterThan(0);
  for (const { parentPath, name } of files) rmSync(join(parentPath, name));
  expect(again().ws.isComplete(artifact)).toBe(false);
  await commitOne(again().ws, 'data');
  expect(again().ws.isComplete(artifact)).toBe(true);
});

test('while a gc is at work, nothing is believed to be there', async () => {
  const { root, artifact, again, pack } = await committed();
  const before = statSync(pack()).ino;
  const collector = openStore({ dir: join(root, '.cache') }).announceGc();
  const { ws } = again();
  expect(await commitOne(ws, 'data')).toEqual(artifact);
  collector.end();
  // A pack has the name of its content: the new one stands where the old one did.
  expect(statSync(pack()).ino).not.toBe(before);
});

test.each<[string, (at: (name: string) => string) => void, number]>([
  ['a chmod', (at) => chmodSync(at('f7'), 0o755), MANY],
  ['a file that is gone', (at) => rmSync(at('f7')), MANY - 1],
  ['two that changed places', (at) => swap(at('f7'), at('f8')), MANY],
  ['a link in place of a file', (at) => replaceByLink(at('f7'), 'f8'), MANY - 1],
])('%s is seen', async (_, change, files) => {
  const { artifact, at, again } = await committed();
  change(at);
  const after = await seen(again().ws);
  expect(after?.digest).not.toBe(artifact.digest);
  expect(after).toMatchObject({ files });
});

test('another text of the same size and the same mtime is seen', async () => {
  const { artifact, at, write, again } = await committed();
  const { atime, mtime } = statSync(at('f7'));
  write('data/f7', 'TEXT 7');
  utimesSync(at('f7'), atime, mtime);
  expect((await seen(again().ws))?.digest).not.toBe(artifact.digest);
});

function swap(a: string, b: string): void {
  renameSync(a, `${a}.tmp`);
  renameSync(b, a);
  renameSync(`${a}.tmp`, b);
}

function replaceByLink(file: string, target: string): void {
  rmSync(file);
  symlinkSync(target, file);
}
