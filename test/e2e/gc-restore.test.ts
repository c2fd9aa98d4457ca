import fs from 'node:fs';
import type { ProjectPath } from '@dag/model';
import { openStore, type Store } from '@dag/store';
import { openWorkspace } from '@dag/workspace';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeProject, type TestProject } from '../rigs/project.ts';

// A result that only a run record names is restored while `dag gc --runs` takes run records away.

const PIPELINE = `stages:
  s:
    cmd: mkdir -p out && seq 20000 > out/big && for i in $(seq 30); do echo $i > out/f$i; done
    deps: [dep]
    outs: [out]
`;

let project: TestProject;
let store: Store;
beforeEach(async () => {
  project = makeProject();
  await project.dag(['init']);
  project.write('pipeline.yaml', PIPELINE);
  project.write('dep', 'dep');
  expect((await project.repro()).ran).toEqual(['s']);
  fs.rmSync(project.path('pipeline.lock'));
  fs.rmSync(project.path('out'), { recursive: true });
  store = openStore({ dir: project.path('.cache') });
});
afterEach(() => {
  store.close();
  project.remove();
});

/** The lock names the result, and the cache has all of it. */
async function isWhole(): Promise<void> {
  expect(project.read('pipeline.lock')).toContain('out');
  fs.rmSync(project.path('out'), { recursive: true });
  expect(await project.dag(['checkout'])).toMatchObject({ status: 0, stdout: 'A  out\n' });
  expect(project.read('out/big')).toHaveLength(108_894);
  expect(fs.readdirSync(project.path('out'))).toHaveLength(31);
}

/** What of standard error has been said when `words` have come, or when it ended. */
function said(child: ReturnType<TestProject['start']>['child'], words: string): Promise<string> {
  let text = '';
  return new Promise((resolve) => {
    child.stderr?.on('data', (chunk) => {
      text += chunk;
      if (text.includes(words)) resolve(text);
    });
    child.once('close', () => resolve(text));
  });
}

test('gc waits for a restore that began before it, until the lock names the result', async () => {
  const workspace = openWorkspace({ root: project.root, store });
  // Whoever writes a lock holds this path.
  const write = ['.cache/tracked.json' as ProjectPath];
  const release = await workspace.acquire({ read: [], write, purpose: 'test' }, { wait: true });
  const repro = project.start(['repro', '--json']);
  while (
    !workspace
      .holders()
      .some((holder) => holder.pid === repro.child.pid && holder.write.includes(write[0] as ProjectPath))
  ) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  const gc = project.start(['gc', '-w', '--runs', '-f']);
  const words = await said(gc.child, 'waiting for a dag');
  release();
  expect(words).toContain(`waiting for a dag (pid ${repro.child.pid})`);
  expect(await repro.ended).toMatchObject({
    status: 0,
    events: expect.arrayContaining([expect.objectContaining({ decision: 'restore' })]),
  });
  expect(await gc.ended).toMatchObject({ status: 0 });
  await workspace.close();
  await isWhole();
});

test.each([['reflink,copy'], ['hardlink,copy'], ['symlink,copy']])(
  'link %s: what is restored while a gc is at work is stored anew',
  async (link) => {
    const collector = store.announceGc();
    const plan = store.planGc(new Set(), collector.since);
    expect(plan.dead.size).toBeGreaterThan(30);
    const { restored, status } = await project.repro([], { env: { DAG_CACHE_LINK: link } });
    expect([status, restored]).toEqual([0, ['s']]);
    await store.applyGc(plan);
    collector.end();
    await isWhole();
  },
);

test('what a gc took while a stage waited for its paths is made again, also where it still stands', async () => {
  await project.repro();
  fs.rmSync(project.path('pipeline.lock'));
  const workspace = openWorkspace({ root: project.root, store });
  const write = ['out' as ProjectPath];
  const release = await workspace.acquire({ read: [], write, purpose: 'test' }, { wait: true });
  const repro = project.start(['repro', '--json']);
  while (!workspace.holders().some((holder) => holder.pid === repro.child.pid)) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  const plan = store.planGc(new Set(), BigInt(Date.now() + 60_000) * 1_000_000n);
  await store.applyGc(plan);
  release();
  expect(await repro.ended).toMatchObject({ status: 0 });
  await workspace.close();
  await isWhole();
});
