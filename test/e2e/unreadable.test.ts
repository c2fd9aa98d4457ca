import fs from 'node:fs';
import { expect, test } from 'vitest';
import { asNobody } from '../rigs/nobody.ts';
import { projectPerTest } from '../rigs/per-test.ts';

// What stands in a project and can't be looked at, though nothing tracks it: a database's folder, a symlink in a circle.

const project = projectPerTest();

test('a symlink that leads in a circle is in the way of nothing', async () => {
  await project.dag(['init']);
  project.write('data/a', 'a');
  for (const link of ['loop', 'data/loop']) fs.symlinkSync('loop', project.path(link));
  expect(await project.dag(['add', 'data'])).toMatchObject({ status: 0, stderr: '' });
  expect(await project.dag(['status'])).toMatchObject({ status: 0, stderr: '' });
});

test('a folder that may not be listed is left out, and that is said; gc is not so bold', async () => {
  await project.dag(['init']);
  project.write('in', 'in');
  project.write('pipeline.yaml', 'stages:\n  s: {cmd: cp in out, deps: [in], outs: [out]}\n');
  fs.mkdirSync(project.path('database'));
  const warning = "warning: 'database' may not be listed: what is in it is left out";
  await asNobody([project.path('..')], async () => {
    fs.chmodSync(project.path('database'), 0);
    for (const verb of ['repro', 'status', 'checkout', 'commit']) {
      expect(await project.dag([verb])).toMatchObject({ status: 0, stderr: expect.stringContaining(warning) });
    }
    const gc = await project.dag(['gc', '-w', '-f']);
    expect(gc).toMatchObject({ status: 1, stderr: expect.stringContaining("'database' may not be listed") });
    project.write('.dagignore', 'database\n');
    expect(await project.dag(['gc', '-w', '-f'])).toMatchObject({ status: 0, stderr: '' });
    fs.chmodSync(project.path('database'), 0o700);
  });
});
