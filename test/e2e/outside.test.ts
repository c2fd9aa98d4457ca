import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { projectPerTest } from '../rigs/per-test.ts';

const project = projectPerTest();

/** The folder that holds the project. */
const base = (): string => path.dirname(project.root);
const outside = (...parts: string[]): string => path.join(base(), ...parts);
const put = (file: string, text: string): void => {
  fs.mkdirSync(path.dirname(outside(file)), { recursive: true });
  fs.writeFileSync(outside(file), text);
};
const runRecords = (): number =>
  project.exists('.cache/runs') ? fs.readdirSync(project.path('.cache/runs')).length : 0;

/** read: ../in.txt, ../p.yaml → a; publish: a → ../shared/out.txt; use: that → b. */
function chain(): void {
  put('in.txt', 'one\n');
  put('p.yaml', 'lr: 1\n');
  project.write(
    'pipeline.yaml',
    `stages:
  read:
    cmd: cat ../in.txt > a
    deps: [../in.txt]
    params: [{../p.yaml: [lr]}]
    outs: [a]
  publish:
    cmd: cp a ../shared/out.txt
    deps: [a]
    outs: [{../shared/out.txt: {cache: false}}]
  use:
    cmd: cp ${outside('shared/out.txt')} b
    deps: [../shared/out.txt]
    outs: [b]
`,
  );
}

describe('a stage that reads or makes what lies outside', () => {
  test('runs, records it as it was written, and follows its content', async () => {
    chain();
    expect(await project.repro()).toMatchObject({ status: 0, ran: ['read', 'publish', 'use'] });
    expect(fs.readFileSync(outside('shared/out.txt'), 'utf8')).toBe('one\n');
    const lock = project.read('pipeline.lock');
    for (const line of ['      ../in.txt: {', '      ../p.yaml: {lr: 1}', '      ../shared/out.txt: {'])
      expect(lock).toContain(line);
    expect(project.read('.gitignore')).not.toContain('out.txt');
    expect(fs.existsSync(outside('shared/.gitignore'))).toBe(false);
    expect(await project.repro()).toMatchObject({ ran: [], skipped: ['read', 'publish', 'use'] });
    expect(project.read('pipeline.lock')).toBe(lock);
    put('in.txt', 'two\n');
    put('p.yaml', 'lr: 2\n');
    expect(JSON.parse((await project.dag(['status', '--json'])).stdout).stages).toEqual({
      read: [
        expect.objectContaining({ changed: 'dep', path: '../in.txt', how: 'modified' }),
        expect.objectContaining({ changed: 'param', path: '../p.yaml:lr', how: 'modified' }),
      ],
    });
    expect(await project.repro()).toMatchObject({ ran: ['read', 'publish', 'use'] });
    expect(project.read('b')).toBe('two\n');
  });

  test('has no part in the run cache, neither with a dep nor with an out there', async () => {
    chain();
    project.write('pipeline.yaml', project.read('pipeline.yaml').split('  use:')[0] ?? '');
    await project.repro();
    expect(runRecords()).toBe(0);
    fs.rmSync(project.path('pipeline.lock'));
    expect(await project.repro()).toMatchObject({ ran: ['read', 'publish'], restored: [] });
  });

  test('finds its old out in place when it fails, and leaves nothing beside it', async () => {
    chain();
    await project.repro();
    project.write(
      'pipeline.yaml',
      project.read('pipeline.yaml').replace('cmd: cp a', 'cmd: echo half > ../shared/out.txt; false; cp a'),
    );
    expect(await project.repro()).toMatchObject({ status: 1, failed: ['publish'], blocked: ['use'] });
    expect(fs.readFileSync(outside('shared/out.txt'), 'utf8')).toBe('one\n');
    expect(fs.readdirSync(outside('shared'))).toEqual(['out.txt']);
  });

  test('that does not make its out fails by name; one that is told to keep it finds it', async () => {
    put('kept.txt', 'old\n');
    project.write(
      'pipeline.yaml',
      `stages:
  none: {cmd: "true", outs: [{../none.txt: {cache: false}}]}
  grow: {cmd: echo new >> ../kept.txt, outs: [{../kept.txt: {cache: false, persist: true}}]}
`,
    );
    const ended = await project.dag(['repro', '-k']);
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain("'../none.txt'");
    expect(fs.readFileSync(outside('kept.txt'), 'utf8')).toBe('old\nnew\n');
  });

  test('is told with its place when the dep is not there', async () => {
    chain();
    fs.rmSync(outside('in.txt'));
    const { status, stderr } = await project.dag(['repro']);
    expect(status).toBe(2);
    expect(stderr).toContain("pipeline.yaml:4:12: '../in.txt', a dep of stage 'read', does not exist");
    expect(stderr).not.toContain('dag add');
  });

  test('reads a folder, whose .dagignore is not ours and whose project has a cache of its own', async () => {
    for (const file of ['lib/x.py', 'lib/.dagignore', 'lib/.cache/objects/00/x', 'lib/pipeline.yaml'])
      put(file, '*.py\n');
    project.write('pipeline.yaml', 'stages:\n  a: {cmd: ls ../lib > a, deps: [../lib], outs: [a]}\n');
    expect(await project.repro()).toMatchObject({ status: 0, ran: ['a'] });
    put('lib/.cache/objects/00/y', '');
    expect(await project.repro()).toMatchObject({ skipped: ['a'] });
    put('lib/x.py', 'changed\n');
    expect(await project.repro()).toMatchObject({ ran: ['a'] });
  });
});

describe('nothing else touches what lies outside', () => {
  test('not checkout, commit, push or gc; a cached out there is refused', async () => {
    chain();
    await project.repro();
    fs.rmSync(outside('shared/out.txt'));
    fs.rmSync(project.path('b'));
    expect((await project.dag(['checkout'])).status).toBe(0);
    expect(fs.readdirSync(outside('shared'))).toEqual([]);
    expect(project.read('b')).toBe('one\n');
    await project.repro();
    expect((await project.dag(['commit'])).status).toBe(0);
    fs.mkdirSync(outside('remote'));
    await project.dag(['remote', 'add', '-d', 'store', outside('remote')]);
    expect((await project.dag(['push'])).status).toBe(0);
    expect((await project.dag(['gc', '-w', '-f'])).status).toBe(0);
    const twice = await project.dag(['stage', 'add', '-n', 'bad', '-d', 'b', '-d', './b', 'true']);
    expect(twice).toMatchObject({ status: 2, stderr: "error: 'b' is given twice as a dep\n" });
    const added = await project.dag(['stage', 'add', '-n', 'bad', '-o', '../bad', 'true']);
    expect(added.status).toBe(2);
    expect(added.stderr).toContain("'../bad' lies outside the project, and what the cache keeps must lie in it");
    expect(
      (
        await project.dag([
          'stage',
          'add',
          '-n',
          'good',
          '-d',
          '../in.txt',
          '-O',
          outside('good'),
          `touch ${outside('good')}`,
        ])
      ).status,
    ).toBe(0);
    expect(await project.repro(['good'])).toMatchObject({ ran: ['good'] });
    expect((await project.dag(['remove', 'good', '--outs'])).status).toBe(0);
    expect(fs.existsSync(outside('good'))).toBe(false);
  });

  test('not a lock that names it', async () => {
    put('precious.txt', 'precious\n');
    put('.gitignore', '/precious.txt\n');
    project.write('pipeline.yaml', 'stages:\n  a: {cmd: echo a > a, outs: [a]}\n');
    await project.repro();
    const [, artifact = ''] = /a: (\{digest.*\})/.exec(project.read('pipeline.lock')) ?? [];
    const hostile = project
      .read('pipeline.lock')
      .replace('    outs:\n', `    outs:\n      ../precious.txt: ${artifact}\n`);
    project.write('pipeline.lock', `${hostile}  gone:\n    cmd: x\n    outs:\n      ../precious.txt: ${artifact}\n`);
    for (const args of [['checkout', '-f'], ['repro'], ['remove', 'a', '--outs'], ['checkout', '-f']])
      await project.dag(args);
    expect(fs.readFileSync(outside('precious.txt'), 'utf8')).toBe('precious\n');
    expect(fs.readFileSync(outside('.gitignore'), 'utf8')).toBe('/precious.txt\n');
    project.write('pipeline.yaml', 'stages:\n  a: {cmd: echo a > a, outs: [a]}\n');
    project.write('pipeline.lock', `schema: 1\ndata:\n  ../precious.txt: ${artifact}\n`);
    expect((await project.dag(['checkout', '-f'])).status).toBe(2);
  });

  test('not where a shared cache is in the way', async () => {
    project.write(
      'pipeline.yaml',
      'cache: {dir: ../cache}\nstages:\n  a: {cmd: mkdir -p ../cache, outs: [{../cache: {cache: false}}]}\n',
    );
    const { status, stderr } = await project.dag(['repro']);
    expect(status).toBe(2);
    expect(stderr).toContain('is in the way of the cache');
  });
});

test('a project that is reached through a symlink reads and makes beside its real place', async () => {
  chain();
  fs.mkdirSync(outside('elsewhere'));
  fs.symlinkSync(project.root, outside('elsewhere/link'));
  const ended = await project.dag(['--cd', outside('elsewhere/link'), 'repro', '--json']);
  expect(ended.status).toBe(0);
  expect(fs.readdirSync(outside('elsewhere'))).toEqual(['link']);
  expect(fs.readFileSync(outside('shared/out.txt'), 'utf8')).toBe('one\n');
  project.write(
    'pipeline.yaml',
    `stages:\n  a: {cmd: "true", deps: [${outside('elsewhere/link')}/made]}\n  b: {cmd: touch made, outs: [made]}\n`,
  );
  const graph = JSON.parse((await project.dag(['graph', '--json'])).stdout);
  expect(graph.edges).toEqual([['b', 'a']]);
});
