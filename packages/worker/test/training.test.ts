import { mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Built, buildWorker, packageFile, runChild, temporaryFolder, writeFiles } from './rig.ts';

let built: Built;
beforeAll(async () => {
  built = await buildWorker();
});
afterAll(() => built.remove());

/** Nothing in it is seeded by hand: initialisers, dropout and the shuffle of `fit` take what the worker gives them. */
const TRAIN = `
import * as tf from '@tensorflow/tfjs-core';
import * as L from '@tensorflow/tfjs-layers';
import { loadLayersModel, saveLayersModel, type WorkerContext } from 'dag/worker';
export default async (ctx: WorkerContext) => {
  const model = L.sequential();
  model.add(L.layers.conv2d({ inputShape: [8, 8, 1], filters: 4, kernelSize: 3, activation: 'relu' }));
  model.add(L.layers.maxPooling2d({ poolSize: 2 }));
  model.add(L.layers.flatten());
  model.add(L.layers.dropout({ rate: 0.25 }));
  model.add(L.layers.dense({ units: 2, activation: 'softmax' }));
  model.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy' });
  // Half of the pictures have a bright left side.
  const pixels = Float32Array.from({ length: 64 * 64 }, (_, i) => ((i >> 2) % 2 === (i >> 6) % 2 ? 1 : 0) + ctx.random() / 4);
  const x = tf.tensor4d(pixels, [64, 8, 8, 1]);
  const y = tf.tidy(() => tf.oneHot(tf.tensor1d(Array.from({ length: 64 }, (_, i) => i % 2), 'int32'), 2));
  const { history } = await model.fit(x, y, { epochs: 15, batchSize: 16, shuffle: true, verbose: 0 });
  for (const [step, loss] of history.loss.entries()) ctx.metric('loss', loss, step);
  await saveLayersModel(model, ctx.out('model'));
  const again = await loadLayersModel<L.LayersModel>(L, ctx.out('model'));
  const [a, b] = [model, again].map((m) => [...(m.predict(x) as tf.Tensor).dataSync()]);
  ctx.log(JSON.stringify(a) === JSON.stringify(b) ? 'same predictions' : 'others');
};`;

async function train(seed: number) {
  const root = temporaryFolder();
  mkdirSync(join(root, 'node_modules'));
  symlinkSync(join(packageFile('@tensorflow/tfjs-core/package.json'), '../..'), join(root, 'node_modules/@tensorflow'));
  writeFiles(root, { 'main.ts': TRAIN });
  const run = await runChild(built, root, { seed, outs: ['model'], backend: { name: 'wasm' } });
  const last = run.messages.at(-1);
  if (last?.type !== 'done') throw new Error(JSON.stringify(last));
  const files = ['model.json', 'weights.bin'].map((name) => readFileSync(join(root, 'model', name)));
  rmSync(root, { recursive: true });
  const losses = run.reported.flatMap((line) => ('value' in line ? [line.value] : []));
  return { files, losses, said: run.said };
}

describe('training in a worker', () => {
  test('two trainings with one seed give the same bytes, another seed gives others', async () => {
    const first = await train(5);
    const second = await train(5);
    const third = await train(6);
    expect(second.files).toEqual(first.files);
    expect(second.losses).toEqual(first.losses);
    expect(third.files[1]).not.toEqual(first.files[1]);
  });

  test('it learns, and the saved model is the trained one', async () => {
    const { losses, said, files } = await train(5);
    expect(losses.at(-1)).toBeLessThan((losses[0] ?? 0) * 0.8);
    expect(said).toEqual(['same predictions']);
    const model = JSON.parse(String(files[0])) as Record<string, unknown>;
    expect(Object.keys(model).sort()).toEqual(
      expect.arrayContaining(['convertedBy', 'format', 'generatedBy', 'modelTopology', 'weightsManifest']),
    );
    expect(model['format']).toBe('layers-model');
  });
});
