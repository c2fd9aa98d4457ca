import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, expect, it } from 'vitest';
import { arrayRows, batches, divideRows, toDataset, toTensors } from '../../src/public/data.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const x = arrayRows(
  Uint8Array.from({ length: 40 }, (_, i) => i * 6),
  [20, 2],
);
const y = arrayRows(
  Float32Array.from({ length: 20 }, (_, i) => i / 7),
  [20, 1],
);
const settings = { size: 6, epochs: 3, shuffle: 9 };

function model() {
  const kernelInitializer = layers.initializers.glorotUniform({ seed: 1 });
  const made = layers.sequential({ layers: [layers.layers.dense({ units: 1, inputShape: [2], kernelInitializer })] });
  made.compile({ optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError' });
  return made;
}

const weights = (trained: layers.LayersModel) => trained.getWeights().map((one) => [...one.dataSync()]);

it('makes tensors of the shapes and kinds of numbers that batches have', async () => {
  for await (const batch of batches({ x, y }, { size: 3 })) {
    const tensors = toTensors(tf, batch);
    expect(tensors.x).toMatchObject({ shape: [3, 2], dtype: 'int32' });
    expect(tensors.y).toMatchObject({ shape: [3, 1], dtype: 'float32' });
    expect([...tensors.x.dataSync()]).toEqual([0, 6, 12, 18, 24, 30]);
    break;
  }
});

it('trains by fitDataset as by a loop over the same batches', async () => {
  const feed = batches({ x: divideRows(x, 255), y, unused: y }, settings);
  const byLoop = model();
  for await (const batch of feed) {
    const tensors = toTensors(tf, batch);
    await byLoop.trainOnBatch(tensors.x, tensors.y);
    tf.dispose(tensors);
  }
  const before = tf.memory().numTensors;
  const byFit = model();
  const made = tf.memory().numTensors - before;
  const dataset = toDataset(tf, feed, { xs: 'x', ys: 'y' });
  const { history, epoch } = await byFit.fitDataset(dataset as never, { epochs: 3, verbose: 0 });
  expect(dataset.size).toBe(4);
  expect(epoch).toHaveLength(3);
  expect(history['loss']).toHaveLength(3);
  expect(weights(byFit)).toEqual(weights(byLoop));
  // What is left of fitDataset itself: its optimizer's counters and the like, not a tensor a batch.
  expect(tf.memory().numTensors - before - made).toBeLessThan(6);
  await dataset.close();
});

it('says what it takes where it is given one epoch', () => {
  const feed = batches({ x: divideRows(x, 255), y }, settings);
  expect(() => toDataset(tf, feed.epoch(2) as never, { xs: 'x', ys: 'y' })).toThrow('firstEpoch');
});

it('evaluates as often as it is asked, and closes what a training left behind', async () => {
  let open = 0;
  const counted = {
    ...y,
    open: async () => {
      open++;
      const reader = await y.open();
      return { ...reader, close: async () => void open-- };
    },
  };
  const dataset = toDataset(tf, batches({ x: divideRows(x, 255), y: counted }, { size: 5 }), { xs: 'x', ys: 'y' });
  const trained = model();
  const first = (await trained.evaluateDataset(dataset as never, {})) as tf.Scalar;
  const second = (await trained.evaluateDataset(dataset as never, {})) as tf.Scalar;
  expect(first.dataSync()).toEqual(second.dataSync());
  expect(open).toBe(0);
  const stop = {
    onBatchEnd: async () => {
      trained.stopTraining = true;
    },
  };
  await trained.fitDataset(dataset as never, { epochs: 2, verbose: 0, callbacks: stop });
  expect(open).toBe(1);
  await dataset.close();
  expect(open).toBe(0);
});
