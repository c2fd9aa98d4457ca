import fs from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { heldPerTest, projectPerTest } from '../rigs/per-test.ts';
import { makeProject } from '../rigs/project.ts';

const project = projectPerTest();
const held = heldPerTest();
beforeEach(async () => void (await project.dag(['init'])));

/** Appends to the pipeline.yaml that init wrote. */
function stages(text: string): void {
  project.write('pipeline.yaml', `stages:\n${text}`);
}

describe('several processes', () => {
  test('that add at once all get their entries', async () => {
    const names = ['x1', 'x2', 'x3', 'x4'];
    for (const name of names) project.write(name, name);
    const ends = await Promise.all(names.map((name) => project.dag(['add', name])));
    expect(ends.map((end) => end.status)).toEqual([0, 0, 0, 0]);
    for (const name of names) {
      expect(project.read('pipeline.yaml')).toContain(`- ${name}\n`);
      expect(project.read('pipeline.lock')).toContain(`  ${name}: {digest`);
      expect(project.read('.gitignore')).toContain(`/${name}\n`);
    }
    expect(JSON.parse((await project.dag(['status', '--json'])).stdout)).toEqual({ stages: {}, data: {} });
  });

  test('keep what another has added while they ran', async () => {
    stages(`  s:\n    cmd: ${JSON.stringify(`${held.command('s')} && echo s > s.txt`)}\n    outs: [s.txt]\n`);
    const run = project.repro();
    const stage = await held.started('s');
    project.write('new.bin', 'new');
    expect((await project.dag(['add', 'new.bin'])).status).toBe(0);
    stage.release();
    expect(await run).toMatchObject({ status: 0, ran: ['s'] });
    const lock = project.read('pipeline.lock');
    expect(lock).toContain('new.bin: {digest');
    expect(lock).toContain('s.txt: {digest');
  });
});

describe('the lock', () => {
  test('loses entries that are gone from pipeline.yaml, and .gitignore their lines, though nothing runs', async () => {
    const a = '  a:\n    cmd: echo a > a\n    outs: [a]\n';
    stages(`${a}  b:\n    cmd: echo b > b\n    outs: [b]\n`);
    await project.repro();
    stages(a);
    expect(await project.repro()).toMatchObject({ skipped: ['a'] });
    expect(project.read('pipeline.lock')).not.toContain('  b:');
    expect(project.read('.gitignore')).not.toContain('/b\n');
  });

  test('that is broken is told before anything, with exit status 2', async () => {
    stages('  s:\n    cmd: echo s > s\n    outs: [s]\n');
    project.write('pipeline.lock', 'schema: 1\nstages: {');
    for (const args of [['repro'], ['repro', '--dry'], ['repro', '--json'], ['status']]) {
      const { status, events } = await project.dag(args);
      expect(status).toBe(2);
      expect(events.map((event) => event['event'])).toEqual(args.includes('--json') ? ['error'] : []);
    }
    expect(project.exists('s')).toBe(false);
  });
});

describe('a part of the data', () => {
  test('is not recorded as the whole, and the rest can be fetched', async () => {
    for (const name of ['1', '2', '3']) project.write(`data/${name}`, name);
    stages('  s:\n    cmd: cat data/* > s\n    deps: [data]\n    outs: [s]\n');
    await project.dag(['add', 'data']);
    await project.dag(['remote', 'add', '-d', 'store', path.join(project.home, 'store')]);
    await project.repro();
    await project.dag(['push']);
    project.git('add', '-A');
    project.git('commit', '-qm', 'all');
    const clone = makeProject({ clone: project });
    try {
      expect((await clone.dag(['pull', 'data/2'])).status).toBe(0);
      const lock = clone.read('pipeline.lock');
      const refused = await clone.dag(['repro']);
      expect(refused.status).toBe(2);
      expect(refused.stderr).toContain("of the tracked data 'data' only a part is here");
      expect(clone.read('pipeline.lock')).toBe(lock);
      expect(await clone.repro(['--pull'])).toMatchObject({ status: 0, ran: [], restored: ['s'] });
      expect(clone.read('data/3')).toBe('3');
      expect(clone.read('s')).toBe('123');
      expect(clone.read('pipeline.lock')).toBe(lock);
      // Now that it is whole, what is deleted is deleted.
      fs.rmSync(clone.path('data/1'));
      expect(await clone.repro()).toMatchObject({ ran: ['s'] });
      expect(clone.read('s')).toBe('23');
    } finally {
      clone.remove();
    }
  });
});

test('pull does not miss what is never pushed; push names data that is not recorded', async () => {
  stages('  s:\n    cmd: echo s > s; echo t > t\n    outs: [s, {t: {push: false}}]\n');
  await project.dag(['remote', 'add', '-d', 'store', path.join(project.home, 'store')]);
  await project.repro();
  expect((await project.dag(['push'])).status).toBe(0);
  project.git('add', '-A');
  project.git('commit', '-qm', 'all');
  const clone = makeProject({ clone: project });
  try {
    expect(await clone.dag(['pull'])).toMatchObject({ status: 0, stderr: '' });
    expect(clone.read('s')).toBe('s\n');
  } finally {
    clone.remove();
  }
  project.write('pipeline.yaml', `${project.read('pipeline.yaml')}data: [d]\n`);
  project.write('d', 'd');
  const { status, stderr } = await project.dag(['push']);
  expect(status).toBe(1);
  expect(stderr).toContain("'d' is not in pipeline.lock");
});

test('single items run in the order given', async () => {
  stages(
    '  one:\n    cmd: cp f a\n    deps: [f]\n    outs: [a]\n  two:\n    cmd: cp a b\n    deps: [a]\n    outs: [b]\n',
  );
  project.write('f', '1');
  await project.repro();
  project.write('f', '2');
  const { events } = await project.dag(['repro', '-s', '-f', '--json', 'two', 'one']);
  expect(events.filter((event) => event['event'] === 'stage').map((event) => event['stage'])).toEqual(['two', 'one']);
});

test('each stage has one event that says what became of it', async () => {
  stages(
    '  a:\n    cmd: "false"\n  b:\n    cmd: cat x\n    deps: [x]\n  x:\n    cmd: "false"\n    outs: [x]\n  c:\n    cmd: echo c\n',
  );
  for (const flags of [[], ['-k']]) {
    const { events } = await project.repro(flags);
    const stages = events.filter((event) => event['event'] === 'stage').map((event) => event['stage']);
    expect(stages.sort()).toEqual(['a', 'b', 'c', 'x']);
  }
});

test('outs and data behind a symlink are refused', async () => {
  fs.mkdirSync(path.join(project.home, 'outside'));
  fs.symlinkSync(path.join(project.home, 'outside'), project.path('ext'));
  stages('  s:\n    cmd: echo 1 > ext/o\n    outs: [ext/o]\n');
  const { status, stderr } = await project.dag(['repro']);
  expect(status).toBe(2);
  expect(stderr).toContain("lies behind the symlink 'ext'");
  fs.writeFileSync(path.join(project.home, 'outside/k'), 'k');
  expect((await project.dag(['add', 'ext/k'])).status).toBe(2);
  expect(fs.readdirSync(path.join(project.home, 'outside'))).toEqual(['k']);
});

test('what can not be is refused before it is written', async () => {
  const before = project.read('pipeline.yaml');
  project.write('d/sub/a', 'a');
  project.write('f', 'f');
  project.git('add', 'f');
  for (const args of [
    ['remote', 'add', 'bad', 'ftp://x'],
    ['remote', 'add', 'bad', ''],
    ['remote', 'add', 'bad', 'https://user:hush@host/x'],
    ['add', 'd', 'd/sub'],
    ['add', 'f'],
    ['add', '.gitignore'],
    ['stage', 'add', '-n', 's', '-o', 'f', 'echo'],
  ]) {
    const { status, stdout, stderr } = await project.dag(args);
    expect([args, status]).toEqual([args, 2]);
    expect(`${stdout}${stderr}`).not.toContain('hush');
  }
  expect(project.read('pipeline.yaml')).toBe(before);
});

test('a name with a line end is ignored by git, and nothing else is', async () => {
  project.write('new\nline', '1');
  project.write('line', 'mine');
  await project.dag(['add', 'new\nline']);
  const seen = project.git('status', '--porcelain', '-z', '--untracked-files=all').split('\0');
  expect(seen).toContain('?? line');
  expect(seen.filter((entry) => entry.includes('new'))).toEqual([]);
});

test('the first stage of a sub-folder gets its .gitignore', async () => {
  fs.mkdirSync(project.path('sub'));
  await project.dag(['stage', 'add', '-n', 'su', '-o', 'o', 'echo > o'], { cwd: 'sub' });
  expect(project.read('sub/.gitignore')).toBe('/o\n');
});

test('a sub-folder whose last stage is removed has no pipeline.yaml; the project keeps its own', async () => {
  stages('  s:\n    cmd: echo > p\n    outs: [p]\n');
  fs.mkdirSync(project.path('sub'));
  await project.dag(['stage', 'add', '-n', 'su', '-o', 'o', 'echo > o'], { cwd: 'sub' });
  await project.dag(['remove', 'sub/pipeline.yaml:su', 's']);
  expect(project.exists('sub/pipeline.yaml')).toBe(false);
  expect(project.exists('sub/pipeline.lock')).toBe(false);
  expect(project.exists('pipeline.yaml')).toBe(true);
});

test('where .gitignore can not be written no stage begins, and its outs and lock entry stay', async () => {
  stages('  s:\n    cmd: cp f d/o\n    deps: [f]\n    outs: [d/o]\n');
  project.write('f', '1');
  await project.repro();
  const lock = project.read('pipeline.lock');
  project.write('f', '2');
  // Where a folder stands, no line can be written.
  fs.rmSync(project.path('d/.gitignore'));
  fs.mkdirSync(project.path('d/.gitignore'));
  expect(await project.repro()).toMatchObject({ status: 3, failed: ['s'] });
  expect(project.read('d/o')).toBe('1');
  expect(project.read('pipeline.lock')).toBe(lock);
  fs.rmdirSync(project.path('d/.gitignore'));
  expect(await project.repro()).toMatchObject({ status: 0, ran: ['s'] });
  expect(project.read('d/o')).toBe('2');
});

test("DVC's project gets told how it moves, whole", async () => {
  const fresh = makeProject();
  try {
    fresh.write('dvc.yaml', 'stages:\n  s:\n    cmd: echo 1 > o\n    outs: [o]\n');
    fresh.write('in/f', '');
    const inside = await fresh.dag(['status', '--cd', 'in']);
    expect(inside).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("'../dvc.yaml' is DVC's: 'mv -f dvc.yaml"),
    });
    expect((await fresh.dag(['init'])).stderr).toContain("'mv -f dvc.yaml pipeline.yaml' keeps its stages");
    fs.renameSync(fresh.path('dvc.yaml'), fresh.path('pipeline.yaml'));
    expect(await fresh.repro()).toMatchObject({ status: 0, ran: ['s'] });
  } finally {
    fresh.remove();
  }
});
