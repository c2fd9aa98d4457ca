import fs from 'node:fs';
import { expect, test } from 'vitest';
import { projectPerTest } from '../rigs/per-test.ts';

const project = projectPerTest();

const PIPELINE = `stages:
  prep:
    cmd: cat raw/a > all
    deps: [raw]
    outs: [all]
  train:
    cmd: cat all cfg > model
    deps: [all, cfg]
    params:
    - train.lr
    - more.yaml:
    env: [MODE=slow]
    outs: [model]
  grow:
    cmd: echo 1 >> keep
    deps: [cfg]
    outs: [{keep: {persist: true}}]
`;

async function ran(): Promise<void> {
  project.write('pipeline.yaml', PIPELINE);
  for (const name of ['a', 'b', 'in/c']) project.write(`raw/${name}`, `${name}\n`);
  project.write('cfg', 'one\ntwo\nthree\n');
  project.write('params.yaml', 'train: {lr: 0.1}\n');
  project.write('more.yaml', 'a: 1\nb: {c: 2, d: 3}\n');
  project.git('add', '-A');
  project.git('commit', '-qm', 'start');
  expect(await project.repro()).toMatchObject({ status: 0, ran: ['prep', 'train', 'grow'] });
}

const why = async (...targets: string[]): Promise<string> =>
  (await project.dag(['why', ...targets])).stdout.replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d UTC, [\d.]+ s/g, 'WHEN');

test('a skip says what was compared', async () => {
  await ran();
  expect(await why('model')).toBe(
    'train is skipped: nothing changed\n' +
      '  compared and equal: its definition, 2 deps (all, cfg), 3 params (params.yaml:train.lr, more.yaml:a, more.yaml:b), 1 variable (MODE), 1 out (model)\n',
  );
});

test('each thing that differs is named with old and new value, down to files, lines and keys', async () => {
  await ran();
  project.write('raw/a', 'other\n');
  project.write('raw/new', 'n\n');
  fs.renameSync(project.path('raw/b'), project.path('raw/in/moved'));
  expect(await why('prep')).toMatch(
    /^prep would run, because\n {2}dep raw modified \([0-9a-f]{8} → [0-9a-f]{8}\): 1 modified \(a\), 2 added \(in\/moved, new\), 1 deleted \(b\)\n/,
  );
  await project.dag(['repro']);
  project.write('cfg', 'zero\none\ntwo\n3\n');
  project.write('more.yaml', 'b: {c: 2, d: 4}\nz: true\n');
  project.write(
    'pipeline.yaml',
    project.read('pipeline.yaml').replace('cat all cfg', 'cat all all cfg').replace('slow', 'fast'),
  );
  const text = await why('train');
  expect(text).toContain('  command modified: "all cfg" → "all all cfg"\n');
  expect(text).toMatch(/ {2}dep cfg modified \(\w+ → \w+\): lines 1, 4\n/);
  expect(text).toContain('  param more.yaml:a deleted (was 1)\n');
  expect(text).toContain('  param more.yaml:b modified (d 3 → 4)\n');
  expect(text).toContain('  param more.yaml:z new (true)\n');
  expect(text).toContain('  env MODE modified (slow → fast)\n');
  expect(text).toContain('unchanged: 1 dep (all), 1 param (params.yaml:train.lr), 1 out (model)\n');
  const [json] = (await project.dag(['why', 'train', '--json'])).events;
  expect(json).toMatchObject({
    stage: 'train',
    decision: 'run',
    compared: { deps: ['all'], env: [], outs: ['model'] },
  });
  expect(json?.['changes']).toContainEqual(
    expect.objectContaining({
      changed: 'dep',
      path: 'cfg',
      how: 'modified',
      lines: [
        [1, 1],
        [4, 4],
      ],
    }),
  );
});

test('the earlier run with the fewest differences is the one that is told', async () => {
  await ran();
  project.write('cfg', 'another\n');
  project.write('params.yaml', 'train: {lr: 0.2}\n');
  await project.dag(['repro']);
  project.write('cfg', 'one\ntwo\nthree\n');
  project.write('params.yaml', 'train: {lr: 0.3}\n');
  const text = await why('train');
  expect(text).toContain('  dep cfg modified');
  expect(text).toContain(
    'nearest earlier run: WHEN; it differs in\n  param params.yaml:train.lr modified (0.1 → 0.3)\n',
  );
});

test('what waits for a stage above, and what the run cache has no part in, say so', async () => {
  await ran();
  project.write('raw/a', 'changed\n');
  expect(await why('train')).toMatch(/^train may run: it depends on what 'prep' makes\n/);
  expect(await why('grow')).toContain('no part in the run cache: its out keep persists');
});

test('a run that ended without a result is told of', async () => {
  project.write('pipeline.yaml', 'stages:\n  s:\n    cmd: echo tried; exit 3\n    outs: [o]\n');
  expect(await project.repro()).toMatchObject({ status: 1 });
  expect((await project.dag(['why', 's'])).stdout.replace(/\d{4}-\d\d-\d\d \d\d:\d\d UTC/, 'WHEN')).toBe(
    "s would run, because\n  never run to its end\nlast run: WHEN, failed (exit status 3); 'dag log s --output' shows what it printed\n" +
      'no part in the run cache: it has no deps or params that its result could be known by\n',
  );
  const [json] = (await project.dag(['why', 's', '--json'])).events;
  expect(json).toMatchObject({ last_run: { result: 'failed', exit_code: 3 } });
  project.write('pipeline.yaml', 'stages:\n  s:\n    cmd: echo tried > o\n    outs: [o]\n');
  await project.repro();
  expect((await project.dag(['why', 's'])).stdout).not.toContain('last run');
});
