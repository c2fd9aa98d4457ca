import fs from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Disk, mountDisk } from '../rigs/disk.ts';
import { heldPerTest } from '../rigs/per-test.ts';
import { makeProject, type TestProject } from '../rigs/project.ts';

// Outs on another file system than the project and its cache: nothing can be renamed or linked from there to here.

let project: TestProject;
let disk: Disk;
const held = heldPerTest();
beforeEach((context) => {
  project = makeProject();
  disk = mountDisk(project.path('disk'));
  if (disk.why !== undefined) context.skip(disk.why);
});
afterEach(() => {
  disk.unmount();
  project.remove();
});

function stages(end: string): void {
  const file = JSON.stringify(`cat in in > disk/file; ${end}`);
  const folder = JSON.stringify(
    `mkdir -p disk/folder/sub; cp in disk/folder/sub/a; ln -s sub/a disk/folder/link; ${end}`,
  );
  project.write(
    'pipeline.yaml',
    `stages:
  file: {cmd: ${file}, deps: [in], outs: [disk/file]}
  folder: {cmd: ${folder}, deps: [in], outs: [disk/folder]}
  reader: {cmd: cat disk/file disk/folder/link > out, deps: [disk/file, disk/folder], outs: [out]}
`,
  );
}

/** What stands on the disk, all names of it, and the out that is made of it. */
function found(): string[] {
  const names = fs.readdirSync(project.path('disk'), { recursive: true }).map(String).sort();
  return [names.join(' '), project.read('disk/file'), project.read('disk/folder/link'), project.read('out')];
}

const made = (text: string): string[] => [
  '.gitignore file folder folder/link folder/sub folder/sub/a',
  text + text,
  text,
  text + text + text,
];

test('they are made, made anew, restored from earlier runs and from the lock, and checked out', async () => {
  stages('true');
  for (const text of ['one\n', 'two\n']) {
    project.write('in', text);
    expect(await project.repro()).toMatchObject({ status: 0, ran: ['file', 'folder', 'reader'] });
    expect(found()).toEqual(made(text));
  }
  project.write('in', 'one\n');
  expect(await project.repro()).toMatchObject({ status: 0, restored: ['file', 'folder', 'reader'] });
  expect(found()).toEqual(made('one\n'));
  for (const again of [() => project.repro(), () => project.dag(['checkout'])]) {
    for (const name of ['file', 'folder']) fs.rmSync(project.path('disk', name), { recursive: true });
    expect((await again()).status).toBe(0);
    expect(found()).toEqual(made('one\n'));
  }
  expect((await project.repro()).skipped).toHaveLength(3);
});

test('they come back when a stage fails, is interrupted, and when its dag is killed', async () => {
  stages('true');
  project.write('in', 'one\n');
  await project.repro();
  const before = made('one\n');
  project.write('in', 'two\n');
  stages('false');
  expect(await project.repro(['-k'])).toMatchObject({ status: 1, failed: ['file', 'folder'] });
  expect(found()).toEqual(before);
  stages(held.command('made'));
  const interrupted = project.start(['repro', 'folder']);
  await held.started('made');
  expect(project.exists('disk/folder/sub/a')).toBe(true);
  interrupted.child.kill('SIGINT');
  expect(await interrupted.ended).toMatchObject({ status: 130 });
  expect(found()).toEqual(before);
  const killed = project.start(['repro', 'folder']);
  await held.started('made');
  killed.child.kill('SIGKILL');
  await killed.ended;
  expect((await project.dag(['checkout'])).stderr).toContain("put back 'disk/folder'");
  expect(found()).toEqual(before);
  const [kept] = fs.readdirSync(project.path('.cache/recovered'));
  expect(project.read(`.cache/recovered/${kept}/0/sub/a`)).toBe('two\n');
});

test('the mounted folder itself is no out, and that is said before anything is lost', async () => {
  project.write('in', '1');
  project.write('disk/mine', 'mine');
  project.write('pipeline.yaml', 'stages:\n  s: {cmd: cp in disk/a, deps: [in], outs: [disk]}\n');
  const { status, stderr } = await project.dag(['repro']);
  expect(status).toBe(3);
  expect(stderr).toContain("can't set aside disk: it is in use, as a mount point is");
  expect(fs.readdirSync(project.path('disk'))).toEqual(['mine']);
});
