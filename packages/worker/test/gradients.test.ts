import { dirname } from 'node:path';
import '@tensorflow/tfjs-backend-cpu';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
// Registers the gradients of all operations.
import '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, test } from 'vitest';
import { registerWasmGradients } from '../src/child/wasm-gradients.ts';
import { packageFile } from './rig.ts';

beforeAll(async () => {
  setWasmPaths(`${dirname(packageFile('@tensorflow/tfjs-backend-wasm'))}/`);
  await tf.setBackend('wasm');
  registerWasmGradients(tf);
});

/** Runs the same thing on both backends, and compares all numbers. */
async function expectSame(compute: () => tf.Tensor[]): Promise<void> {
  const results: { shape: number[]; values: number[] }[][] = [];
  for (const backend of ['cpu', 'wasm']) {
    await tf.setBackend(backend);
    const tensors = tf.tidy(compute);
    results.push(tensors.map((tensor) => ({ shape: tensor.shape, values: [...tensor.dataSync()] })));
    tf.dispose(tensors);
  }
  const [cpu = [], wasm = []] = results;
  expect(wasm.map(({ shape }) => shape)).toEqual(cpu.map(({ shape }) => shape));
  const worst = cpu.flatMap(({ values }, i) => values.map((x, j) => Math.abs(x - (wasm[i]?.values[j] ?? Number.NaN))));
  const largest = Math.max(1, ...cpu.flatMap(({ values }) => values.map(Math.abs)));
  expect(Math.max(...worst) / largest).toBeLessThan(1e-4);
  expect(cpu.some(({ values }) => values.some((x) => x !== 0))).toBe(true);
}

const uniform = (shape: number[], seed: number) => tf.randomUniform(shape, -1, 1, 'float32', seed);

type Pad = 'same' | 'valid' | number;
interface Case {
  x: [number, number, number, number];
  filter: [number, number, number, number];
  strides: number | [number, number];
  pad: Pad;
}

const CONVOLUTIONS: Case[] = [
  { x: [2, 6, 6, 1], filter: [3, 3, 1, 4], strides: 1, pad: 'valid' },
  { x: [3, 7, 5, 2], filter: [3, 2, 2, 3], strides: 1, pad: 'same' },
  { x: [2, 8, 9, 3], filter: [3, 3, 3, 2], strides: 2, pad: 'same' },
  { x: [2, 8, 9, 3], filter: [3, 3, 3, 2], strides: 2, pad: 'valid' },
  { x: [1, 10, 10, 2], filter: [2, 2, 2, 5], strides: 3, pad: 'valid' },
  { x: [2, 5, 5, 2], filter: [3, 3, 2, 2], strides: 1, pad: 2 },
  { x: [2, 4, 4, 3], filter: [1, 1, 3, 4], strides: 1, pad: 'valid' },
  { x: [1, 4, 4, 2], filter: [4, 4, 2, 3], strides: 1, pad: 'valid' },
  { x: [1, 3, 3, 1], filter: [5, 5, 1, 2], strides: 1, pad: 'same' },
];

const DEPTHWISE: Case[] = [
  { x: [2, 6, 6, 1], filter: [3, 3, 1, 1], strides: 1, pad: 'valid' },
  { x: [3, 7, 5, 4], filter: [3, 2, 4, 1], strides: 1, pad: 'same' },
  { x: [2, 8, 9, 3], filter: [3, 3, 3, 2], strides: 2, pad: 'same' },
  { x: [2, 8, 8, 3], filter: [3, 3, 3, 3], strides: 2, pad: 'valid' },
  { x: [1, 10, 10, 2], filter: [2, 2, 2, 2], strides: 3, pad: 'valid' },
  { x: [2, 5, 5, 2], filter: [3, 3, 2, 1], strides: 1, pad: 2 },
];

describe('gradients on WebAssembly are those of the CPU backend', () => {
  for (const { x, filter, strides, pad } of CONVOLUTIONS) {
    test(`convolution of ${x} by ${filter}, stride ${strides}, pad ${pad}`, async () => {
      await expectSame(() => {
        const gradients = tf.grads((a, b) => tf.square(tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, strides, pad)));
        return gradients([uniform(x, 1), uniform(filter, 2)]);
      });
    });
  }
  for (const { x, filter, strides, pad } of DEPTHWISE) {
    test(`depthwise convolution of ${x} by ${filter}, stride ${strides}, pad ${pad}`, async () => {
      await expectSame(() => {
        const convolve = (a: tf.Tensor, b: tf.Tensor) =>
          tf.square(tf.depthwiseConv2d(a as tf.Tensor4D, b as tf.Tensor4D, strides, pad));
        return tf.grads(convolve)([uniform(x, 1), uniform(filter, 2)]);
      });
    });
  }

  test('gather, with rows that are taken twice and rows that are not taken', async () => {
    await expectSame(() => {
      const indices = tf.tensor2d([0, 3, 3, 1, 0, 3], [2, 3], 'int32');
      return [tf.grad((table) => tf.square(tf.gather(table, indices)))(uniform([5, 4], 1))];
    });
  });

  test('transposed convolution', async () => {
    await expectSame(() =>
      tf.grads((a, b) => tf.square(tf.conv2dTranspose(a as tf.Tensor4D, b as tf.Tensor4D, [2, 8, 8, 2], 2, 'same')))([
        uniform([2, 4, 4, 3], 1),
        uniform([3, 3, 2, 3], 2),
      ]),
    );
  });

  const POOLS = [
    { shape: [2, 4, 4, 3], size: 2, stride: 2, pad: 'valid' },
    { shape: [2, 7, 6, 2], size: 3, stride: 2, pad: 'same' },
    { shape: [1, 6, 6, 4], size: 3, stride: 1, pad: 'valid' },
  ] as const;
  for (const { shape, size, stride, pad } of POOLS) {
    for (const [name, pool] of Object.entries({ max: tf.maxPool, average: tf.avgPool })) {
      test(`${name} pooling of ${shape} by ${size}, stride ${stride}, pad ${pad}`, async () => {
        const gradient = tf.grad((a) => tf.square(pool(a as tf.Tensor4D, size, stride, pad)));
        await expectSame(() => [
          gradient(uniform([...shape], 1)),
          gradient(tf.sub(uniform([...shape], 2), 3)),
          gradient(tf.relu(uniform([...shape], 3))),
        ]);
      });
    }
  }

  test('batch normalisation', async () => {
    const normalise = (a: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor, offset: tf.Tensor, scale: tf.Tensor) => {
      const [m, v, o, s] = [mean, variance, offset, scale] as [tf.Tensor1D, tf.Tensor1D, tf.Tensor1D, tf.Tensor1D];
      return tf.square(tf.batchNorm4d(a as tf.Tensor4D, m, v, o, s));
    };
    await expectSame(() =>
      tf.grads((a, mean, variance, offset, scale) => normalise(a, mean, variance, offset, scale))([
        ...[uniform([2, 4, 4, 3], 1), uniform([3], 3), tf.tensor1d([0.5, 1, 2])],
        ...[uniform([3], 4), uniform([3], 5)],
      ]),
    );
  });

  test('nothing is left in memory', async () => {
    await tf.setBackend('wasm');
    const step = () => {
      const gradients = tf.tidy(() =>
        tf.grads((a, b) => tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, 1, 'same'))([
          uniform([1, 5, 5, 2], 1),
          uniform([3, 3, 2, 2], 2),
        ]),
      );
      tf.dispose(gradients);
    };
    step();
    const before = tf.memory();
    step();
    expect(tf.memory()).toEqual(before);
  });
});
