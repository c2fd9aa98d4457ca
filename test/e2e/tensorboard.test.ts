import fs from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { heldPerTest, projectPerTest } from '../rigs/per-test.ts';
import { needRig } from '../rigs/s3.ts';
import { missingTensorboard, readEvents } from '../rigs/tensorboard.ts';

const project = projectPerTest();
const held = heldPerTest();
const missing = missingTensorboard();

/** The one folder of a stage's runs. */
function runFolder(stage: string): string {
  const names = fs.readdirSync(project.path('tb', stage));
  expect(names).toHaveLength(1);
  return project.path('tb', stage, String(names[0]));
}

function eventFile(folder: string): string {
  return path.join(folder, String(fs.readdirSync(folder).find((name) => name.startsWith('events.'))));
}

const exported = async (...args: string[]) => {
  const { status, stdout } = await project.dag(['metrics', 'export', '--tensorboard', 'tb', '--json', ...args]);
  expect(status).toBe(0);
  return JSON.parse(stdout) as { written: number; runs: string[] };
};

describe('event files, as the real TensorBoard reads them', () => {
  beforeEach((context) => needRig(context, missing));

  test('scalars, images and histograms of a worker', async () => {
    project.write(
      'train.ts',
      `export default async (ctx) => {
        for (let step = 0; step < 300; step++) ctx.metric('train/loss', 1 / (step + 1), step);
        ctx.metric('diverged', NaN); ctx.metric('diverged', -Infinity); ctx.metric('big step', 1, 2 ** 40);
        ctx.histogram('weights', [1, 1, 2, 3], 7);
        ctx.image('seen ☃', { width: 2, height: 1, channels: 1, pixels: [0, 255] }, 3);
        (await import('node:fs')).writeFileSync(ctx.out('out.txt'), '1');
      };`,
    );
    project.write('pipeline.yaml', 'stages:\n  train: {worker: train.ts, outs: [out.txt]}\n');
    await project.repro();
    expect(await exported()).toMatchObject({ written: 305 });
    const { scalars, images, histograms } = readEvents(runFolder('train'));
    expect(scalars['train/loss']).toEqual(
      Array.from({ length: 300 }, (_, step) => [step, Math.fround(1 / (step + 1))]),
    );
    expect(scalars['diverged']).toEqual([
      [0, 'nan'],
      [1, '-inf'],
    ]);
    expect(scalars['big step']).toEqual([[2 ** 40, 1]]);
    const logs = project.path('.cache/logs/train');
    const folder = String(fs.readdirSync(logs).find((name) => name.endsWith('.images')));
    const png = fs.readFileSync(path.join(logs, folder, '0.png')).toString('base64');
    expect(images).toEqual({ 'seen ☃': [[3, 2, 1, png]] });
    const [[step, count, sum, limits, counts] = []] = histograms['weights'] ?? [];
    expect([step, count, sum, limits?.at(-1)]).toEqual([7, 4, 7, 3]);
    expect(counts?.reduce((all, one) => all + one, 0)).toBe(4);
  });

  test('an export goes on where another was, even one that was cut short at any byte', async () => {
    const line = (step: number) =>
      `echo '{"name":"loss","value":${step},"step":${step},"at":${step}.5}' >> "$DAG_METRICS"`;
    project.write(
      'pipeline.yaml',
      `stages:\n  train: {cmd: '${[0, 1, 2, 3].map(line).join('; ').replaceAll("'", "''")}'}\n`,
    );
    await project.repro();
    expect(await exported()).toMatchObject({ written: 4 });
    const folder = runFolder('train');
    const file = eventFile(folder);
    const whole = fs.readFileSync(file);
    expect(await exported('train', '--all')).toMatchObject({ written: 0 });
    for (let size = 0; size <= whole.length; size += 31) {
      fs.writeFileSync(file, whole.subarray(0, size));
      await exported();
      expect(fs.readFileSync(file).equals(whole)).toBe(true);
    }
    fs.writeFileSync(
      file,
      whole.map((byte, at) => (at === 60 ? byte ^ 1 : byte)),
    );
    await exported();
    expect(readEvents(folder).scalars).toEqual({ loss: [0, 1, 2, 3].map((step) => [step, step]) });
  });

  test('a stage is followed to its end', async () => {
    project.write(
      'pipeline.yaml',
      `stages:\n  train:\n    cmd: |\n      echo '{"name":"loss","value":1}' >> $DAG_METRICS\n      ${held.command('train')}\n      echo '{"name":"loss","value":2}' >> $DAG_METRICS\n`,
    );
    const repro = project.start(['repro']);
    const stage = await held.started('train');
    const follower = project.start(['metrics', 'export', '--tensorboard', 'tb', '--follow', 'train']);
    await expect.poll(() => project.exists('tb/train')).toBe(true);
    stage.release();
    await repro.ended;
    expect((await follower.ended).status).toBe(0);
    expect(readEvents(runFolder('train')).scalars['loss']).toEqual([
      [0, 1],
      [1, 2],
    ]);
  });
});

test('where nothing was reported nothing is written', async () => {
  project.write('pipeline.yaml', 'stages:\n  train: {cmd: "true"}\n');
  await project.repro();
  expect(await project.dag(['metrics', 'export', '--tensorboard', 'tb'])).toMatchObject({
    status: 0,
    stdout: 'Nothing to write: nothing was reported.\n',
  });
  expect(project.exists('tb')).toBe(false);
  expect(await project.dag(['metrics', 'export'])).toMatchObject({ status: 2 });
});
