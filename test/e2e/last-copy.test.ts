import fs from 'node:fs';
import { expect, test } from 'vitest';
import { projectPerTest } from '../rigs/per-test.ts';

// The cache's copy of what a verb replaces or removes is damaged: it is stored anew from the workspace, and that is said.

const project = projectPerTest();

/** Flips a bit of each object, and lets its times be what they were. */
function damageCache(): void {
  const objects = project.path('.cache/objects');
  for (const name of fs.readdirSync(objects, { recursive: true }).map(String)) {
    const file = `${objects}/${name}`;
    const stats = fs.statSync(file);
    if (!stats.isFile()) continue;
    const bytes = fs.readFileSync(file);
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    fs.chmodSync(file, 0o644);
    fs.writeFileSync(file, bytes);
    fs.chmodSync(file, 0o444);
    fs.utimesSync(file, stats.atime, stats.mtime);
  }
}

const said = (path: string): string => `warning: the cache's copy of '${path}' was damaged: it was stored anew`;

test('checkout of another revision: the one that goes comes back', async () => {
  await project.dag(['init']);
  const commit = (name: string): void => {
    project.git('add', '-A');
    project.git('commit', '-qm', name);
  };
  project.write('data/a', 'first');
  await project.dag(['add', 'data']);
  commit('first');
  project.write('data/a', 'second');
  await project.dag(['add', 'data']);
  commit('second');
  project.git('checkout', '-q', 'HEAD~1');
  expect((await project.dag(['checkout'])).status).toBe(0);
  expect(project.read('data/a')).toBe('first');
  project.git('checkout', '-q', 'main');
  const whole = fs.readdirSync(project.path('.cache/objects'));
  damageCache();
  // What is wanted is damaged too, and the first version is all there is.
  expect(whole.length).toBeGreaterThan(0);
  expect(await project.dag(['checkout'])).toMatchObject({ status: 1, stderr: expect.stringContaining('damaged') });
  expect(project.read('data/a')).toBe('first');
  project.git('checkout', '-q', 'HEAD~1');
  expect((await project.dag(['checkout'])).status).toBe(0);
  expect(project.read('data/a')).toBe('first');
});

test('a stage that runs again does not drop the only copy of its old out', async () => {
  project.write('in', 'one');
  project.write('pipeline.yaml', 'stages:\n  s: {cmd: cp in out, deps: [in], outs: [out]}\n');
  await project.repro();
  damageCache();
  project.write('in', 'two');
  const again = await project.dag(['repro']);
  expect(again).toMatchObject({ status: 0 });
  expect(again.stdout + again.stderr).toContain(said('out').replace('warning: ', ''));
  project.write('in', 'one');
  expect(await project.repro()).toMatchObject({ restored: ['s'] });
  expect(project.read('out')).toBe('one');
});

test('remove --outs leaves a whole copy in the cache', async () => {
  await project.dag(['init']);
  project.write('data', 'the only one');
  await project.dag(['add', 'data']);
  project.git('add', '-A');
  project.git('commit', '-qm', 'data');
  damageCache();
  const removed = await project.dag(['remove', 'data', '--outs']);
  expect(removed).toMatchObject({ status: 0, stderr: expect.stringContaining(said('data')) });
  expect(project.exists('data')).toBe(false);
  project.git('checkout', '-q', '.');
  expect((await project.dag(['checkout'])).status).toBe(0);
  expect(project.read('data')).toBe('the only one');
});

test('add stores anew what the cache has damaged', async () => {
  await project.dag(['init']);
  project.write('data/a', 'content');
  await project.dag(['add', 'data']);
  damageCache();
  fs.utimesSync(project.path('data/a'), 1, 1);
  expect((await project.dag(['add', 'data'])).status).toBe(0);
  fs.rmSync(project.path('data'), { recursive: true });
  expect((await project.dag(['checkout'])).status).toBe(0);
  expect(project.read('data/a')).toBe('content');
});
