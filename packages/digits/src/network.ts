import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { CLASSES, type Digits, PIXELS, SIDE } from './data.ts';

/** A small convolutional network: grey pixels in, the probability of each digit out. */
export function createNetwork(seed: number): layers.Sequential {
  const start = (layer: number) => layers.initializers.glorotUniform({ seed: seed * 10 + layer });
  const activation = 'relu';
  return layers.sequential({
    layers: [
      layers.layers.conv2d({
        ...{ inputShape: [SIDE, SIDE, 1], filters: 8, kernelSize: 5, activation, kernelInitializer: start(0) },
      }),
      layers.layers.maxPooling2d({ poolSize: 2 }),
      layers.layers.conv2d({ filters: 16, kernelSize: 3, activation, kernelInitializer: start(1) }),
      layers.layers.maxPooling2d({ poolSize: 2 }),
      layers.layers.flatten(),
      layers.layers.dense({ units: 64, activation, kernelInitializer: start(2) }),
      layers.layers.dense({ units: CLASSES, activation: 'softmax', kernelInitializer: start(3) }),
    ],
  });
}

/** Digits as the network takes them: [n, 28, 28, 1] from 0 to 1, and one-hot labels [n, 10]. To be disposed of. */
export function toTensors({ images, labels }: Digits, indices: ArrayLike<number>): { x: tf.Tensor4D; y: tf.Tensor2D } {
  const pixels = new Float32Array(indices.length * PIXELS);
  const classes = new Int32Array(indices.length);
  for (let i = 0; i < indices.length; i++) {
    const from = indices[i] ?? 0;
    for (let p = 0; p < PIXELS; p++) pixels[i * PIXELS + p] = (images[from * PIXELS + p] ?? 0) / 255;
    classes[i] = labels[from] ?? 0;
  }
  const x = tf.tensor4d(pixels, [indices.length, SIDE, SIDE, 1]);
  const y = tf.tidy(() => tf.cast(tf.oneHot(tf.tensor1d(classes, 'int32'), CLASSES), 'float32') as tf.Tensor2D);
  return { x, y };
}

/** The probabilities that a network gives to each class, one row of ten a digit. */
export function predict(model: layers.LayersModel, digits: Digits, batch = 256): Float32Array {
  const count = digits.labels.length;
  const rows = new Float32Array(count * CLASSES);
  for (let start = 0; start < count; start += batch) {
    const indices = Array.from({ length: Math.min(batch, count - start) }, (_, i) => start + i);
    const values = tf.tidy(() => (model.predict(toTensors(digits, indices).x) as tf.Tensor).dataSync());
    rows.set(values, start * CLASSES);
  }
  return rows;
}

/** What a network makes of digits: mean cross-entropy in nats, share of right answers, and each answer. */
export interface Scores {
  readonly loss: number;
  readonly accuracy: number;
  readonly answers: readonly { readonly predicted: number; readonly confidence: number }[];
}

export function score(rows: Float32Array, labels: Uint8Array): Scores {
  let loss = 0;
  let right = 0;
  const answers = Array.from(labels, (label, i) => {
    const row = rows.subarray(i * CLASSES, (i + 1) * CLASSES);
    const confidence = Math.max(...row);
    const predicted = row.indexOf(confidence);
    loss -= Math.log(Math.max(row[label] ?? 0, 1e-7));
    if (predicted === label) right++;
    return { predicted, confidence };
  });
  return { loss: loss / labels.length, accuracy: right / labels.length, answers };
}
