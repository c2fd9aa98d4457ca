import fs from 'node:fs';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { commitAll, dagOk, gitIn, listingProject } from '../rigs/git.ts';
import type { TestProject } from '../rigs/project.ts';

let origin: TestProject;
afterEach(() => origin.remove());

/** Clones a project of three commits, all pushed. @returns what runs `dag`, and git, in the clone. */
async function cloned(...flags: string[]) {
  origin = await listingProject();
  for (const name of ['b', 'c']) await commitAll(origin, name, { [`data/${name}`]: `${name}\n` });
  await dagOk(origin, ['push', '-q', '-A']);
  origin.git('config', 'uploadpack.allowFilter', 'true');
  const folder = path.join(origin.home, 'clone');
  origin.git('clone', '-q', ...flags, `file://${origin.root}`, folder);
  const cwd = path.relative(origin.root, folder);
  const at = { cwd };
  return { folder, git: gitIn(origin, cwd), dag: (...args: string[]) => origin.dag(args, at) };
}

test('in a shallow clone what is before it is unknown, and said to be, not taken for nothing', async () => {
  const { git, dag } = await cloned('--depth', '2');
  expect(await dag('pull', '-q')).toMatchObject({ status: 0 });
  expect(await dag('diff', 'HEAD~1', '--json')).toMatchObject({ status: 0 });
  const far = await dag('diff', 'HEAD~2');
  expect([far.status, far.stderr]).toEqual([
    2,
    `error: there is no revision 'HEAD~2' in this clone, which is shallow
  'git fetch --unshallow' brings the rest of its history, 'git fetch --deepen=N' N commits more
`,
  ]);
  for (const scope of [['-A'], ['-n', '3'], ['--date', '2020-01-01'], ['-A', '-c']]) {
    expect(await dag('gc', ...scope, '-f')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/this clone is shallow: what the commits before [0-9a-f]{7} need can't be told/),
    });
  }
  for (const scope of [['-a'], ['-T'], ['-n', '2'], ['--date', '2100-01-01']]) {
    expect(await dag('gc', ...scope, '--dry')).toMatchObject({ status: 0 });
  }
  for (const verb of ['push', 'fetch']) {
    expect(await dag(verb, '-A')).toMatchObject({
      status: 0,
      stderr: expect.stringContaining('this clone is shallow'),
    });
  }
  expect(git('fetch', '-q', '--unshallow')).toMatchObject({ status: 0 });
  expect(await dag('gc', '-A', '--dry')).toMatchObject({ status: 0 });
  expect(await dag('diff', 'HEAD~2')).toMatchObject({ status: 0, stderr: '' });
});

test('a partial clone asks git for what it lacks, and says so where git can’t have it', async () => {
  const { folder, git, dag } = await cloned('--filter=blob:none');
  expect(await dag('pull', '-q')).toMatchObject({ status: 0 });
  expect(fs.readdirSync(path.join(folder, 'data'))).toEqual(['a', 'b', 'c']);
  expect(await dag('fetch', '-A')).toMatchObject({ status: 0 });
  expect((await dag('diff', 'HEAD~2')).stdout).toContain('data/b');
  expect(git('clone', '-q', '--filter=blob:none', `file://${origin.root}`, `${folder}-2`)).toMatchObject({ status: 0 });
  const lost = gitIn(origin, `${folder}-2`);
  lost('remote', 'set-url', 'origin', '/nowhere');
  const cwd = path.relative(origin.root, `${folder}-2`);
  const refused = await origin.dag(['gc', '-A', '-f'], { cwd });
  expect([refused.status, refused.stderr]).toEqual([3, expect.stringContaining('this clone is partial')]);
});

test('what lies outside a sparse work tree is kept by a gc of the work tree', async () => {
  origin = await listingProject();
  origin.write('deep/data/x', 'deep\n');
  origin.write('deep/pipeline.yaml', 'data: [data]\nstages: {}\n');
  await dagOk(origin, ['add', '-q', 'deep/data']);
  origin.git('add', '-A');
  origin.git('commit', '-qm', 'deep');
  const git = gitIn(origin);
  expect(git('sparse-checkout', 'set', '--cone', 'data')).toMatchObject({ status: 0 });
  expect(origin.exists('deep/pipeline.lock')).toBe(false);
  expect((await origin.dag(['status', '-q'])).status).toBe(0);
  expect((await dagOk(origin, ['verify'])).stdout).toContain('nothing would run');
  await dagOk(origin, ['gc', '-w', '-f', '--runs']);
  expect(git('sparse-checkout', 'disable')).toMatchObject({ status: 0 });
  fs.rmSync(origin.path('deep/data'), { recursive: true, force: true });
  await dagOk(origin, ['checkout']);
  expect(origin.read('deep/data/x')).toBe('deep\n');
});
