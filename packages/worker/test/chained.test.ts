import { mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, expect, test } from 'vitest';
import { chainOperations } from '../src/child/backend/chained.ts';
import { packageFile, runChild, workerRig, writeFiles } from './rig.ts';

const worker = workerRig();
beforeAll(async () => {
  await tf.setBackend('cpu');
  chainOperations(tf);
});

/** A method as TensorFlow.js has it, with a tensor as what it belongs to. */
function call(tensor: tf.Tensor, name: string, ...given: unknown[]): number[] {
  const result = (Reflect.get(tensor, name) as (...given: unknown[]) => tf.Tensor).apply(tensor, given);
  return [...result.shape, ...result.dataSync()];
}

test('tensors have all methods that tfjs-core has files for', () => {
  const folder = join(dirname(packageFile('@tensorflow/tfjs-core/package.json')), 'dist/public/chained_ops');
  const files = readdirSync(folder).filter((name) => name.endsWith('.js'));
  const names = files.flatMap((name) =>
    [...readFileSync(join(folder, name), 'utf8').matchAll(/getGlobalTensorClass\(\)\.prototype\.(\w+) =/g)].map(
      ([, one]) => one,
    ),
  );
  expect(names.length).toBeGreaterThan(130);
  const tensor = tf.tensor1d([1, 2]);
  expect(names.filter((name) => typeof Reflect.get(tensor, name ?? '') !== 'function')).toEqual([]);
});

test('they compute what the functions do, and refuse a tensor that is disposed of', () => {
  const x = tf.tensor2d([1, -2, 3, -4], [2, 2]);
  const y = tf.tensor2d([5, 6, 7, 8], [2, 2]);
  expect(call(x, 'matMul', y)).toEqual([2, 2, -9, -10, -13, -14]);
  expect(call(x, 'sum', 1)).toEqual([2, -1, -1]);
  expect(call(x, 'concat', [y, y], 1).slice(0, 2)).toEqual([2, 6]);
  expect(call(x, 'concat', y)).toEqual([4, 2, 1, -2, 3, -4, 5, 6, 7, 8]);
  expect(call(x, 'stack', y).slice(0, 3)).toEqual([2, 2, 2]);
  expect(call(x, 'where', tf.tensor2d([1, 0, 0, 1], [2, 2], 'bool'), y)).toEqual([2, 2, 1, 6, 7, -4]);
  expect(call(x, 'flatten')).toEqual([4, 1, -2, 3, -4]);
  expect(call(x, 'as3D', 1, 4, 1).slice(0, 3)).toEqual([1, 4, 1]);
  expect(call(x, 'toBool')).toEqual([2, 2, 1, 1, 1, 1]);
  expect(call(tf.tensor1d([1, 0], 'int32'), 'oneHot', 2)).toEqual([2, 2, 0, 1, 1, 0]);
  expect(call(tf.zeros([2, 2, 1]), 'resizeBilinear', [4, 3]).slice(0, 3)).toEqual([4, 3, 1]);
  expect(() => call(x, 'asScalar')).toThrow('must have only 1 element');
  x.dispose();
  expect(() => call(x, 'add', 1)).toThrow('disposed');
});

test.each(['cpu', 'wasm'] as const)('recurrent layers as they come train on %s', async (name) => {
  mkdirSync(join(worker.root, 'node_modules'));
  symlinkSync(
    join(packageFile('@tensorflow/tfjs-core/package.json'), '../..'),
    join(worker.root, 'node_modules/@tensorflow'),
  );
  writeFiles(worker.root, {
    'main.ts': `export default async (ctx) => {
      const tf = await ctx.tensorflow();
      for (const kind of ['lstm', 'gru', 'simpleRNN']) {
        const model = tf.sequential({ layers: [tf.layers[kind]({ units: 4, inputShape: [3, 2] }), tf.layers.dense({ units: 1 })] });
        model.compile({ optimizer: 'adam', loss: 'meanSquaredError' });
        const { history } = await model.fit(tf.ones([8, 3, 2]), tf.ones([8, 1]), { epochs: 5, verbose: 0 });
        ctx.log(kind + ' ' + (history.loss[4] < history.loss[0]));
      }
    };`,
  });
  const { said, output } = await runChild(worker.built, worker.root, { backend: { name } });
  expect(said, output).toEqual(['lstm true', 'gru true', 'simpleRNN true']);
});
