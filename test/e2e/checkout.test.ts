import fs from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeProject, type TestProject } from '../rigs/project.ts';

let project: TestProject;
beforeEach(async () => {
  project = makeProject();
  await project.dag(['init']);
});
afterEach(() => project.remove());

/** The summary of a verb under --json. */
async function summary(...args: string[]): Promise<Record<string, unknown>> {
  const { events } = await project.dag([...args, '--json']);
  return events.at(-1) ?? {};
}

function damageObjects(): void {
  const objects = project.path('.cache/objects');
  for (const two of fs.readdirSync(objects)) {
    for (const name of fs.readdirSync(`${objects}/${two}`)) {
      fs.chmodSync(`${objects}/${two}/${name}`, 0o644);
      fs.appendFileSync(`${objects}/${two}/${name}`, 'x');
    }
  }
}

test('follows git: added, changed and no longer tracked', async () => {
  project.write('data/a', '1');
  await project.dag(['add', 'data']);
  project.git('add', '-A');
  project.git('commit', '-qm', 'one');
  project.write('data/a', '2');
  project.write('other.bin', 'other');
  await project.dag(['add', 'data', 'other.bin']);
  project.git('add', '-A');
  project.git('commit', '-qm', 'two');
  project.git('checkout', '-q', 'HEAD~1');
  expect(await summary('checkout')).toMatchObject({ added: [], modified: ['data'], deleted: ['other.bin'] });
  expect(project.read('data/a')).toBe('1');
  expect(project.exists('other.bin')).toBe(false);
  project.git('checkout', '-q', 'main');
  expect(await summary('checkout')).toMatchObject({ added: ['other.bin'], modified: ['data'], deleted: [] });
  expect((await project.dag(['checkout'])).stdout).toBe('');
  expect(project.read('data/a')).toBe('2');
});

test('follows git to where a stage had not run: what it made goes, what was made by hand stays', async () => {
  project.write('pipeline.yaml', 'stages:\n  s: {cmd: echo made | tee out another, outs: [out, another]}\n');
  project.git('add', '-A');
  project.git('commit', '-qm', 'one');
  project.write('out', 'by hand');
  const words = "'out' was left as it is: pipeline.lock has no entry for it\n";
  expect(await project.dag(['checkout'])).toMatchObject({ status: 0, stdout: '', stderr: words });
  expect(project.read('out')).toBe('by hand');
  await project.repro();
  project.git('add', '-A');
  project.git('commit', '-qm', 'two');
  project.git('checkout', '-q', 'HEAD~1');
  project.write('another', 'an edit');
  expect(await project.dag(['checkout'])).toMatchObject({
    status: 1,
    stdout: 'D  out\n',
    stderr: expect.stringContaining("'another' has content that is nowhere in the cache"),
  });
  expect([project.exists('out'), project.read('another')]).toEqual([false, 'an edit']);
  project.git('checkout', '-q', 'main');
  expect(await summary('checkout', '-f')).toMatchObject({ added: ['out'], modified: ['another'] });
});

test('tracked data of which the lock says nothing stays', async () => {
  project.write('data/a', '1');
  await project.dag(['add', 'data']);
  fs.rmSync(project.path('pipeline.lock'));
  const ran = await project.dag(['checkout']);
  expect(ran).toMatchObject({ status: 0, stdout: '', stderr: expect.stringContaining("'data' was left as it is") });
  expect(project.read('data/a')).toBe('1');
});

test('a symlink of which the cache knows nothing is named', async () => {
  project.write('data/a', '1');
  await project.dag(['add', 'data']);
  fs.symlinkSync('a', project.path('data/link'));
  const { status, stderr } = await project.dag(['checkout']);
  expect([status, stderr]).toEqual([
    1,
    expect.stringContaining("'data/link' is a symlink that is nowhere in the cache"),
  ]);
  expect(fs.readlinkSync(project.path('data/link'))).toBe('a');
  expect((await project.dag(['checkout', '-f'])).status).toBe(0);
  expect(fs.readdirSync(project.path('data'))).toEqual(['a']);
});

test('follows git where a part of a folder came to be tracked by itself, and back', async () => {
  project.write('data/a', '1');
  project.write('data/sub/b', '2');
  await project.dag(['add', 'data']);
  project.git('add', '-A');
  project.git('commit', '-qm', 'the folder');
  await project.dag(['remove', 'data']);
  expect(await project.dag(['add', 'data/sub'])).toMatchObject({ status: 0 });
  project.git('add', '-A', '--', ':!data/a');
  project.git('commit', '-qm', 'its part');
  project.git('checkout', '-q', 'HEAD~1');
  expect(await project.dag(['checkout'])).toMatchObject({ status: 0, stderr: '' });
  expect([project.read('data/a'), project.read('data/sub/b')]).toEqual(['1', '2']);
  project.git('checkout', '-q', 'main');
  expect(await project.dag(['checkout'])).toMatchObject({ status: 0, stderr: '' });
  expect(project.read('data/sub/b')).toBe('2');
  expect((await project.dag(['status', '--json'])).stdout).toBe('{"stages":{},"data":{}}\n');
});

test('never overwrites or deletes what is nowhere in the cache, unless forced', async () => {
  project.write('data/a', '1');
  await project.dag(['add', 'data']);
  project.write('data/a', 'an edit');
  const { status, stderr } = await project.dag(['checkout']);
  expect(status).toBe(1);
  expect(stderr).toContain("'data/a' has content that is nowhere in the cache");
  expect(project.read('data/a')).toBe('an edit');
  const { events } = await project.dag(['checkout', '--json']);
  expect(events.map((event) => event['event'])).toEqual(['error', 'summary']);
  await project.dag(['checkout', '-f']);
  expect(project.read('data/a')).toBe('1');
});

test('names what is damaged or missing, by path, and gives the rest', async () => {
  project.write('m.bin', 'm'.repeat(100_000));
  project.write('data/small', 'small');
  project.write('data/big', 'b'.repeat(100_000));
  await project.dag(['add', 'm.bin', 'data/small']);
  project.write('kept.bin', 'k'.repeat(100_000));
  damageObjects();
  await project.dag(['add', 'kept.bin']);
  for (const path of ['m.bin', 'data/small', 'kept.bin']) fs.rmSync(project.path(path));
  const { status, events } = await project.dag(['checkout', '--json']);
  expect(status).toBe(1);
  expect(events.at(-1)).toMatchObject({
    added: ['kept.bin'],
    failed: expect.arrayContaining([
      expect.objectContaining({ path: 'm.bin', reason: expect.stringContaining('damaged') }),
    ]),
  });
  expect((await project.dag(['checkout', '--allow-missing'])).status).toBe(0);
});

test('one path inside a tracked folder, and no path that is not there', async () => {
  project.write('data/x/a', '1');
  project.write('data/b', '2');
  await project.dag(['add', 'data']);
  fs.rmSync(project.path('data'), { recursive: true });
  expect((await project.dag(['checkout', 'data/x'])).stdout).toBe('A  data/x\n');
  expect(project.exists('data/b')).toBe(false);
  expect((await project.dag(['checkout', 'data/nix'])).status).toBe(2);
  expect((await project.dag(['status', 'data/nix'])).status).toBe(2);
});

test('links to the cache can be edited after unprotect, and never before', async () => {
  const link = { env: { DAG_CACHE_LINK: 'hardlink' } };
  project.write('big', 'x'.repeat(100_000));
  await project.dag(['add', 'big'], link);
  expect(fs.statSync(project.path('big')).mode & 0o222).toBe(0);
  expect(fs.statSync(project.path('big')).nlink).toBe(2);
  await project.dag(['unprotect', 'big'], link);
  project.write('big', 'edited');
  expect(fs.statSync(project.path('big')).nlink).toBe(1);
  await project.dag(['checkout', '-f'], link);
  expect(project.read('big')).toBe('x'.repeat(100_000));
});

test.each(['hardlink', 'symlink'])('an edit through a %s, as root can make it, is seen and named', async (link) => {
  project.write('.cache/local.yaml', `cache: {link: [${link}]}\n`);
  project.write('big', Buffer.alloc(300_000, 'a'));
  await project.dag(['add', 'big']);
  fs.chmodSync(project.path('big'), 0o644);
  project.write('big', Buffer.alloc(300_000, 'b'));
  expect((await project.dag(['status', '-q'])).status).toBe(1);
  const failed = [(await summary('checkout'))['failed'], (await summary('fsck'))['failed']].flat();
  expect(failed).toEqual([expect.objectContaining({ path: 'big', reason: expect.stringContaining('another digest') })]);
  const { problems } = (await summary('doctor')) as { problems: string[] };
  const told = problems.some((problem) => problem.includes('no mode stops root'));
  expect(told).toBe(process.getuid?.() === 0);
});
