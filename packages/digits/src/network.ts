import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { batches, type Rows, toTensors } from 'dag/worker';
import { CLASSES, SIDE } from './data.ts';

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

/** The probabilities that a network gives to each class, one row of ten a digit. */
export async function predict(model: layers.LayersModel, digits: Rows, size = 256): Promise<Float32Array> {
  const rows = new Float32Array(digits.count * CLASSES);
  for await (const batch of batches({ x: digits }, { size })) {
    const values = tf.tidy(() => (model.predict(toTensors(tf, batch).x) as tf.Tensor).dataSync());
    rows.set(values, (batch.batch - 1) * size * CLASSES);
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
