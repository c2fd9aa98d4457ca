import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { type Batch, batches, type Rows, toTensors } from 'dag/worker';
import { CLASSES, SIDE } from './digits.ts';

/** How many layers look at a picture; the others tell classes apart by what these saw. */
export const SEEING = 5;

/** A small convolutional network for five classes. */
export function createNetwork(seed: number): layers.Sequential {
  const start = (layer: number) => layers.initializers.glorotUniform({ seed: seed * 10 + layer });
  const activation = 'relu';
  const { conv2d, maxPooling2d, flatten } = layers.layers;
  return layers.sequential({
    layers: [
      conv2d({ inputShape: [SIDE, SIDE, 1], filters: 8, kernelSize: 5, activation, kernelInitializer: start(0) }),
      maxPooling2d({ poolSize: 2 }),
      conv2d({ filters: 16, kernelSize: 3, activation, kernelInitializer: start(1) }),
      maxPooling2d({ poolSize: 2 }),
      flatten(),
      ...createHead(seed),
    ],
  });
}

/** The layers that tell classes apart, fresh. */
export function createHead(seed: number): layers.layers.Layer[] {
  const start = (layer: number) => layers.initializers.glorotUniform({ seed: seed * 10 + layer });
  return [
    layers.layers.dense({ units: 32, activation: 'relu', kernelInitializer: start(2) }),
    layers.layers.dense({ units: CLASSES, activation: 'softmax', kernelInitializer: start(3) }),
  ];
}

export function compile(model: layers.Sequential, learningRate: number): void {
  model.compile({ optimizer: tf.train.adam(learningRate), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
}

/** Shows the network a batch. @returns its loss. */
export async function trainOn(model: layers.Sequential, batch: Batch<'x' | 'y'>): Promise<number> {
  const { x, y } = toTensors(tf, batch);
  const [loss = Number.NaN] = (await model.trainOnBatch(x, y)) as number[];
  tf.dispose([x, y]);
  return loss;
}

/** The share of digits that the network gets right. */
export async function accuracy(model: layers.Sequential, { x, labels }: { x: Rows; labels: Rows }): Promise<number> {
  let right = 0;
  for await (const batch of batches({ x, labels }, { size: 250 })) {
    const guesses = tf.tidy(() => tf.argMax(model.predict(toTensors(tf, batch).x) as tf.Tensor, 1).dataSync());
    right += batch.data.labels.values.filter((label, i) => label === guesses[i]).length;
  }
  return right / x.count;
}
